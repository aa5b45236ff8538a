"""What the figures were measured on, and with."""

import datetime
import os
import platform
import shutil
import subprocess


def _first_line(*command):
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def _cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def cpu_count():
    return len(os.sched_getaffinity(0))


def cpu_ticks():
    """(all, stolen): ticks since boot, and those a hypervisor gave to somebody else."""
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks), ticks[7]


def describe():
    return {
        "cpu": _cpu_model(),
        "cpus": cpu_count(),
        "memory_gib": round(_memory_gib(), 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: line for name, line in (
            ("c++", _first_line("c++", "--version")), ("go", _first_line("go", "version")),
            ("rustc", _first_line("rustc", "--version"))) if line},
    }


def caption(machine):
    """The description in three lines."""
    floor = machine.get("floor", {})
    lines = [f'{machine["cpu"]}, {machine["cpus"]} CPUs, {machine["memory_gib"]:.0f} GiB, '
             f'{machine["kernel"]}; {machine["date"]}',
             "; ".join(machine["versions"].values())]
    before, after = (machine[key][0] for key in ("load_before", "load_after"))
    lines.append(f'load average {before} before, {after} after (the programs make a load too); '
                 f'stolen by the hypervisor {machine["stolen_percent"]:.1f} percent')
    if floor:
        lines.append("the machine charges: " + ", ".join(
            f"{name.replace('_', ' ')} {value:.1f} ns" for name, value in floor.items()))
    return lines
