"""What is run and what is asked of it: the workloads, their programs, their figures and targets."""

from dataclasses import dataclass, field

PEERS = ("go", "tokio")
SAME = {name: name for name in ("weft",) + PEERS}


@dataclass
class Figure:
    """One line of the table. `columns` says which program stands in which column."""
    metric: str
    label: str
    unit: str
    limit: float | None = None       # The target of weft.
    limit_over: str | None = None    # The target is `limit` above this program's median.
    at_least: bool = False           # More is better, and `limit` is a floor.
    in_every_round: bool = False     # The median will not do: the worst round must meet it.
    plotted: bool = False
    columns: dict = field(default_factory=lambda: SAME)

    @property
    def target(self):
        """The target in words."""
        if self.limit is None:
            return ""
        base = f"{self.limit_over} + " if self.limit_over else ""
        return f'{">=" if self.at_least else "<="} {base}{self.limit:,g}'


@dataclass
class Case:
    """One workload on one number of processors: the programs run by turns, and what they print."""
    key: str
    title: str
    processors: int
    commands: dict    # Program name -> list of an executable's name and its arguments.
    figures: list
    repeat: int = 1   # How many times in a round: for short programs, whose noise is in bursts.

    @property
    def name(self):
        return f"{self.title}, {self.processors}P"


def _workload(key, title, processors, figures, arguments=()):
    commands = {name: [f"{name}_workloads", key, *arguments] for name in SAME}
    return Case(key, title, processors, commands, figures)


def _channels(key, title, processors, figures):
    case = _workload(key, title, processors, figures)
    case.commands["weft"] = ["weft_channels", key]
    return case


def _skynet(processors, ms=None, mib=None):
    return _channels("s5", "S5 skynet, 1M leaves", processors, [
        Figure("skynet", "all of it", "ms", ms, plotted=processors == 2),
        Figure("peak_rss", "most memory", "MiB", mib, plotted=processors == 2)])


def _channel_memory():
    case = _channels("chan_memory", "1M empty channels", 1, [
        Figure("channel_bytes", "memory each", "B", 96)])
    del case.commands["tokio"]
    return case


def _sleepers(count, title, processors, figures):
    rest = [Figure("late_p999", "late p99.9", "us"), Figure("late_max", "late max", "us"),
            Figure("early", "woke early", "sleeps", 0, in_every_round=True)]
    return _workload("s7", title, processors, figures + rest, (str(count),))


def _ten_thousand(processors):
    return _sleepers(10_000, "S7 10k sleepers", processors, [
        Figure("late_p50", "late p50", "us", 60, plotted=True),
        Figure("late_p99", "late p99", "us", 150, plotted=True),
        Figure("cpu_per_sleep", "CPU a sleep", "ns", 1500, plotted=processors == 1),
        Figure("sleeps_per_s", "sleeps", "M/s", at_least=True)])


def _sleepers_with_slack(processors):
    """The peers round to a millisecond, so weft may be as late as they are."""
    case = _sleepers(10_000, "S18 10k sleepers, slack 1 ms", processors, [
        Figure("cpu_per_sleep", "CPU a sleep", "ns", 800, plotted=processors == 1),
        Figure("late_p50", "late p50", "us"), Figure("late_p99", "late p99", "us", 2000)])
    case.key = "s18"
    case.commands["weft"] = ["weft_workloads", "s7", "10000", "1000"]
    return case


def _hundred_thousand(processors):
    return _sleepers(100_000, "S7 100k sleepers", processors, [
        Figure("sleeps_per_s", "sleeps", "M/s", 0.6, at_least=True, plotted=True),
        Figure("cpu_per_sleep", "CPU a sleep", "ns"),
        Figure("late_p50", "late p50", "us"), Figure("late_p99", "late p99", "us")])


def _cold_start(processors):
    programs = {"weft": "weft_hello_static", "weft shared": "weft_hello", "go": "go_hello",
                "tokio": "tokio_hello", "C": "c_hello", "C static": "c_hello_static"}
    commands = {name: ["coldstart", "50", program] for name, program in programs.items()}
    return Case("c1", "C1 cold start", processors, commands, [
        Figure("coldstart_p50", "exec to exit", "us", 300, limit_over="C", plotted=True,
               columns=SAME | {"C": "C"}),
        Figure("coldstart_p50", "weft of shared libraries", "us",
               columns={"weft": "weft shared", "C": "C"}),
        Figure("coldstart_p50", "static C", "us", columns={"C": "C static"})], repeat=5)


def _wake_up(title, how, p50, p99, programs):
    commands = {"weft": ["weft_disturbed", "s12", *how]}
    if "go" in programs:
        commands["go"] = ["go_workloads", "s12"]
    return Case("s12", title, 2, commands, [
        Figure("late_p50", "late p50", "us", p50, plotted=True),
        Figure("late_p99", "late p99", "us", p99),
        Figure("hogs_keep", "left to the others", "%", 50, at_least=True),
        Figure("early", "woke early", "sleeps", 0, in_every_round=True)])


def _fairness(key, title, figures, arguments, go=None):
    commands = {"weft": ["weft_fairness", key, *arguments]}
    if go is not None:
        commands["go"] = ["go_workloads", key, *go]
    return Case(key, title, 2, commands, figures)


def _starts(how, words, count):
    return _fairness("s14", f"S14 {count:,} started beside four that {words}", [
        Figure("all_started", "all have run", "ms", plotted=True)],
        (how, str(count)), (how, str(count)))


def _outside(kind, title, hogs, p50, go=None):
    return _fairness("s15", f"S15 {title}, beside {hogs}", [
        Figure("late_p50", "late p50", "us", p50, plotted=True),
        Figure("late_p99", "late p99", "us", 4000)], (kind, str(hogs)), go)


def _beside_a_loop():
    figures = [Figure("rounds_kept", "kept", "%", 40, at_least=True, plotted=True),
               Figure("rounds_beside", "round trips", "M/s")]
    return [Case("s16", f"S16 ping-pong beside a loop, {kind}", 1,
                 {"weft": [program, "s16"], "go": ["go_workloads", "s16"]}, figures)
            for kind, program in (("reserved", "weft_fairness"), ("split", "weft_fairness_split"))]


def _under_load():
    """How long coroutines that can run wait beside others that compute."""
    shares = [Figure("share_least", "least share", "x", 0.95, at_least=True),
              Figure("share_most", "greatest share", "x", 1.05)]
    return [
        _starts("checks", "check", 1000), _starts("checks", "check", 100_000),
        _starts("yields", "yield each 5 ms", 1000), _starts("yields", "yield each 5 ms", 100_000),
        _outside("blocking", "blocking call of 1 ms", 2, 600, ("2",)),
        _outside("blocking", "blocking call of 1 ms", 4, 600, ("4",)),
        _outside("foreign", "another thread's send and back", 2, 1000),
        _outside("timer", "another thread's timer", 2, 1000),
        *_beside_a_loop(),
        _fairness("crowd", "600 loops of no end", [
            Figure("all_started", "all have run", "ms", plotted=True)], ("600",), ("600",)),
        _fairness("s17", "S17 400 beside pairs of 200 us", [
            Figure("all_started", "all have run", "ms", plotted=True)], (), ()),
        _fairness("shares", "3 equal loops", shares, ("3",), ("3",)),
        _fairness("shares", "5 equal loops", shares, ("5",), ("5",)),
        _fairness("fork", "second of two tasks of 5 ms", [
            Figure("late_p50", "starts after, p50", "us", 200, plotted=True)], (), ())]


def _alone(key, title, processors, figures, arguments):
    return Case(key, title, processors, {"weft": ["weft_disturbed", *arguments]}, figures)


def _affinity():
    figures = [Figure("walk", "walk", "ns"), Figure("walk_again", "one, again and again", "ns"),
               Figure("walk_in_turn", "one thread, all in turn", "ns")]
    return [_alone("affinity", f"256 KiB each, {how}", 2, figures, ("affinity", how))
            for how in ("none", "hint", "pin")]


def _split(key, title, processors, figures, arguments, program="weft_split"):
    return Case(key, f"split: {title}", processors, {"weft": [program, *arguments]}, figures)


def _split_stacks(quick):
    """What split stacks cost, and what they save; each beside nothing but its target."""
    parked, many = ("100000", "100k") if quick else ("1000000", "1M")

    def memory(how, what):
        return _split("split", f"{many} parked, 8 KiB deep before{what}", 1, [
            Figure("rss_split", "memory each", "B", 1250, plotted=True),
            Figure("spawn_park", "spawn and park", "ns")], (how, parked))

    def with_locals(which, what, limit):
        return _split("split", f"100k that wait with {what}", 1, [
            Figure("held_with_locals", "memory each", "B", limit, plotted=True)],
            ("locals", "100000", which))

    skynet = [_split("split", "S5 skynet, 1M leaves", n, [
        Figure("skynet", "all of it", "ms", 250 if n == 2 else None, plotted=n == 2),
        Figure("peak_rss", "most memory", "MiB", 50 if n == 2 else None)],
        ("s5",), "weft_channels_split") for n in (1, 2)]
    return [
        memory("parked", ""), memory("parked_libc", ", calls libc"),
        with_locals("100", "100 B of locals", 1300), with_locals("300", "300 B of locals", 2400),
        with_locals("600", "600 B of locals", 2400),
        with_locals("select", "100 B of locals, in a select", 2400),
        _split("split", "calls", 1, [
            Figure("hot_split", "crossing in a loop", "ns", 6, plotted=True),
            Figure("plain_from_tiny", "plain call, tiny segment", "ns", 13),
            Figure("plain_from_large", "plain call, large segment", "ns", 1)], ("calls",)),
        _split("split", "code with many calls", 1, [
            *(Figure(f"code_{one}", f"{one}, over plain", "%", 10)
              for one in ("fib", "parse", "regex", "sort")),
            Figure("code_mean", "geometric mean", "%", 5),
            *(Figure(f"tiny_{one}", f"{one}, begun with 1 KiB", "%")
              for one in ("fib", "parse", "regex", "sort"))], ("code",)),
        _split("split", "S12 beside four that call", 2, [
            Figure("late_p50", "late p50", "us", 1000, plotted=True),
            Figure("late_p99", "late p99", "us", 10_000),
            Figure("hogs_keep", "left to the others", "%", 50, at_least=True)],
            ("s12", "calls"), "weft_disturbed_split"),
        _split("split", "preemption, request to scheduler", 1, [
            Figure("preempt_p50", "p50", "us", 3, plotted=True),
            Figure("preempt_p99", "p99", "us")], ("preempt",)),
        *skynet]


def all_cases(quick):
    """Every case in the order of the table. Quick ones park fewer coroutines."""
    parked, title = ("100000", "S6 100k parked") if quick else ("1000000", "S6 1M parked")
    yielding = [Figure("yield", "yield", "ns/switch", 15, plotted=True)]
    spawning = [Figure("spawn", "spawn+join", "ns", 100, plotted=True)]

    def one(key, title, processors, metric, label, limit):
        return _channels(key, title, processors, [Figure(metric, label, "ns", limit, plotted=True)])

    return [
        _workload("s1", "S1 yield", 1, yielding),
        _workload("s2", "S2 spawn+join", 1, spawning),
        _workload("s2", "S2 spawn+join", 2, spawning),
        one("s3", "S3 ping-pong", 1, "pingpong", "round trip", 80),
        one("s3", "S3 ping-pong", 2, "pingpong", "round trip", 100),
        one("s3b", "S3b buffer of 128", 1, "buffered128", "item", 15),
        one("s3b", "S3b buffer of 128", 2, "buffered128", "item", 30),
        _workload("s4", "S4 ring of 503", 1, [Figure("ring", "hop", "ns", 40, plotted=True)]),
        _workload("s4", "S4 ring of 503", 2, [Figure("ring", "hop", "ns", 70, plotted=True)]),
        _skynet(1), _skynet(2, ms=300, mib=100),
        _workload("s6", title, 1, [
            Figure("rss_per_coroutine", "memory each", "B", 4400, plotted=True),
            Figure("spawn_park", "spawn and park", "ns")], (parked,)),
        _ten_thousand(1), _ten_thousand(2), _sleepers_with_slack(1), _sleepers_with_slack(2),
        _hundred_thousand(1), _hundred_thousand(2),
        one("s8", "S8 mutex of 100", 1, "mutex", "lock+unlock", 5),
        one("s8", "S8 mutex of 100", 2, "mutex", "lock+unlock", 19),
        one("s9", "S9 select of 4", 1, "select4", "select", 100),
        one("s9", "S9 select of 4", 2, "select4", "select", None),
        _wake_up("S12 beside four with checkpoints", (), 1000, 10_000, ("weft", "go")),
        _wake_up("S12 beside four without a call", ("loop",), 2000, None, ("weft",)),
        *_under_load(),
        _channel_memory(),
        _alone("grown", f"S6 {'100k' if quick else '1M'} parked, 8 KiB deep before", 1, [
            Figure("rss_grown", "memory each, at first", "B"),
            Figure("rss_trimmed", "once trimmed", "B", 4400, plotted=True)],
            ("grown", parked)),
        _alone("blocking", "10k blocking calls of 1 ms", 2, [
            Figure("blocking", "all of them", "ms"), Figure("pool64", "a pool of 64 threads", "ms"),
            Figure("pool_over_blocking", "pool / weft", "x", 5, at_least=True),
            Figure("late_p99", "1 ms sleeper, late p99", "us", 2000)], ("blocking",)),
        *_affinity(),
        _alone("idle", "nothing to do", 2, [
            Figure("idle_wakeups", "wake-ups", "/s", 10)], ("idle",)),
        *_split_stacks(quick),
        _cold_start(1), _cold_start(2)]
