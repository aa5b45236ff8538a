#!/usr/bin/env python3
"""Turns what `ctest -V` prints into the events of `go test -json`, while tests run.

    ctest -V ... | tests/tools/ctest_events.py FILE

FILE gets one JSON object a line as soon as ctest prints what it says, flushed; `-` is standard output. The fields are
those of Go's test2json: Time, Action (start, run, output, pass, fail, skip), Package, Test, Elapsed, Output. People
get on standard error what ctest prints without -V, with the whole output of each test that failed.

A test's package is what stands before the first dot of its name, which is its program: `api_test.Select.Waits` is
Select.Waits of weft/api_test; a name without a dot belongs to weft. A slash in a name becomes a colon, because Go takes
what follows it for a subtest. A test that timed out, crashed or could not be started has failed; one that is disabled
was skipped; one that was still running when ctest ended has failed. Packages end when ctest does.

`scripts/test --json FILE` is how people call it.
"""
import datetime
import json
import re
import sys
import time

START = re.compile(r"^ *Start +(\d+): (.*)$")
RESULT = re.compile(r"^ *\d+/\d+ Test +#(\d+): (.*)$")
OUTPUT = re.compile(r"^(\d+): ?(.*)$", re.DOTALL)
SECONDS = re.compile(r" +(\d+\.\d+) sec *$")
# What ctest itself says about a test before the test says anything.
PREAMBLE = ("Test command:", "Working Directory:", "Environment variables:", "Test timeout computed to be:")
# What it says before the first test, and only with -V.
NOISE = re.compile(r"^(UpdateCTestConfiguration|Constructing a list|Done constructing|Updating test list|Added \d+ tests|"
                   r"Checking test dependency|test \d+$)")


class Test:
    def __init__(self, name):
        self.name = name
        program, dot, rest = name.partition(".")
        self.package = "weft/" + program.replace("/", ":") if dot and rest else "weft"
        self.test = (rest if dot and rest else name).replace("/", ":")
        self.began = time.monotonic()
        self.in_preamble = True
        self.output = []


class Filter:
    def __init__(self, events, people):
        self.events = events
        self.people = people
        self.running = {}
        self.packages = {}  # Name: [when it began, whether a test of it failed, whether one was not skipped].

    def emit(self, action, package, test=None, elapsed=None, output=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        event = {"Time": now.isoformat(timespec="microseconds").replace("+00:00", "Z"), "Action": action,
                 "Package": package}
        if test is not None:
            event["Test"] = test
        if elapsed is not None:
            event["Elapsed"] = round(elapsed, 3)
        if output is not None:
            event["Output"] = output
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()

    def say(self, text):
        self.people.write(text)
        self.people.flush()

    def start(self, number, name):
        test = self.running[number] = Test(name)
        if test.package not in self.packages:
            self.packages[test.package] = [time.monotonic(), False, False]
            self.emit("start", test.package)
        self.emit("run", test.package, test.test)
        self.emit("output", test.package, test.test, output=f"=== RUN   {test.test}\n")

    def output(self, number, text):
        test = self.running[number]
        if test.in_preamble:
            if text.startswith(PREAMBLE):
                return
            if text.startswith("  "):  # A variable of the environment.
                return
            test.in_preamble = False
        test.output.append(text + "\n")
        self.emit("output", test.package, test.test, output=text + "\n")

    def end(self, number, verdict):
        test = self.running.pop(number)
        took = SECONDS.search(verdict)
        elapsed = float(took.group(1)) if took else time.monotonic() - test.began
        verdict = SECONDS.sub("", verdict)
        if verdict.startswith(test.name):
            verdict = verdict[len(test.name):]
        verdict = verdict.lstrip(" .").rstrip()
        if verdict == "Passed":
            action = "pass"
        elif verdict in ("***Skipped", "***Not Run (Disabled)"):
            action = "skip"
        else:
            action = "fail"
            # The reason, where the test's own output does not say it: a timeout, a signal, no program.
            self.emit("output", test.package, test.test, output=f"    ctest: {verdict.replace('***', ' ').strip(' :')}\n")
        self.emit("output", test.package, test.test, output=f"--- {action.upper()}: {test.test} ({elapsed:.2f}s)\n")
        self.emit(action, test.package, test.test, elapsed=elapsed)
        package = self.packages[test.package]
        package[1] = package[1] or action == "fail"
        package[2] = package[2] or action != "skip"
        if action == "fail":
            self.say("".join(test.output))

    def line(self, text):
        if match := OUTPUT.match(text):
            if match.group(1) in self.running:
                self.output(match.group(1), match.group(2))
                return
        if match := START.match(text):
            self.start(match.group(1), match.group(2))
        elif (match := RESULT.match(text)) and match.group(1) in self.running:
            self.say(text + "\n")
            self.end(match.group(1), match.group(2))
            return
        elif NOISE.match(text) or not text:
            return
        self.say(text + "\n")

    def finish(self):
        for number in sorted(self.running, key=int):
            self.end(number, "ctest ended before the test did")
        for name in sorted(self.packages):
            began, failed, ran = self.packages[name]
            action = "fail" if failed else "pass" if ran else "skip"
            self.emit("output", name, output={"fail": "FAIL", "pass": "PASS", "skip": "SKIP"}[action] + "\n")
            self.emit(action, name, elapsed=time.monotonic() - began)


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if len(sys.argv) == 2 else sys.stderr)
        return 0 if len(sys.argv) == 2 else 2
    try:
        events = sys.stdout if sys.argv[1] == "-" else open(sys.argv[1], "w", encoding="utf-8")
    except OSError as error:
        print(f"ctest_events: can't write {sys.argv[1]}: {error.strerror}", file=sys.stderr)
        return 1
    # What is no UTF-8 becomes the replacement character, as Go does it.
    lines = open(sys.stdin.fileno(), encoding="utf-8", errors="replace", newline="\n")
    people = open(sys.stderr.fileno(), "w", encoding="utf-8", closefd=False)
    state = Filter(events, people)
    try:
        for text in lines:
            state.line(text.rstrip("\n"))
    except BrokenPipeError:
        return 1
    state.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
