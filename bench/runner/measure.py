"""Running the programs by turns, and what their rounds come to."""

import os
import signal
import statistics
import subprocess
import sys

OURS = ("WEFT_", "TOKIO_", "GOMAXPROCS", "GOGC", "GODEBUG", "GOMEMLIMIT")


def environment(processors):
    """This process's, less what would change the programs, and the number of processors."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    for key in ("WEFT_PROCS", "TOKIO_WORKERS", "GOMAXPROCS"):
        env[key] = str(processors)
    return env


def run_program(command, processors, timeout):
    """Runs one program. Returns its results by metric, and what went wrong or None."""
    # A process group of its own, so that a timeout ends the children of coldstart too.
    with subprocess.Popen(command, env=environment(processors), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace",
                          start_new_session=True) as child:
        try:
            out, err = child.communicate(timeout=timeout)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            if isinstance(stop, KeyboardInterrupt):
                raise
            return {}, f"no end within {timeout} s"
    results = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] == "RESULT":
            results[words[1]] = float(words[2])
    words = err.strip().splitlines()[:1]
    said = f": {words[0]}" if words else ""
    if child.returncode < 0:
        return {}, f"killed by {signal.Signals(-child.returncode).name}{said}"
    if child.returncode > 0:
        return {}, f"exit status {child.returncode}{said}"
    return (results, None) if results else ({}, "printed no result")


class Measurements:
    """values[case.name, program][metric] is a list over the rounds; failures likewise."""

    def __init__(self):
        self.values, self.failures = {}, {}

    def run(self, cases, executables, rounds, timeout):
        """All rounds. Within a case the programs follow each other, each time another first."""
        for turn in range(rounds):
            for case in cases:
                ready = [(program, [executables.get(word, word) for word in command])
                         for program, command in case.commands.items()
                         if self.can_run(command, executables)]
                for again in range(case.repeat):
                    first = (turn + again) % max(len(ready), 1)
                    for program, command in ready[first:] + ready[:first]:
                        say = f"round {turn + 1} of {rounds}: {case.name}: {program}"
                        print(say, end=" ", file=sys.stderr, flush=True)
                        results, failure = run_program(command, case.processors, timeout)
                        self.note(case, program, turn, results, failure)
                        print(failure or self.brief(results), file=sys.stderr)

    @staticmethod
    def brief(results):
        metric, value = next(iter(results.items()))
        return f"{metric} {value:.4g}"

    @staticmethod
    def can_run(command, executables):
        # Of cold starts the second program matters too: coldstart RUNS PROGRAM.
        programs = [command[0]] + (command[2:] if command[0] == "coldstart" else [])
        return all(name in executables for name in programs)

    def note(self, case, program, turn, results, failure):
        if failure:
            self.failures.setdefault((case.name, program), []).append(
                f"round {turn + 1}: {failure}")
        for metric, value in results.items():
            of_program = self.values.setdefault((case.name, program), {})
            of_program.setdefault(metric, []).append(value)

    def stats(self, case, program, metric):
        """Median, least and most over the rounds, or None when there is none."""
        values = self.values.get((case.name, program), {}).get(metric)
        if not values:
            return None
        return {"median": statistics.median(values), "min": min(values), "max": max(values),
                "rounds": len(values), "values": values}
