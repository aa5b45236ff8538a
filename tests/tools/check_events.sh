#!/usr/bin/env bash
# Are the events that tests/tools/ctest_events.py makes of ctest's output right? Run by ctest and by .ci/run.
#
#   tests/tools/check_events.sh made BUILD           a small project with tests that pass, fail, are skipped, time out,
#                                                    crash, abort, are missing or disabled: each event, as it happens,
#                                                    and what tests/tools/failed_tests.py says of the run
#   tests/tools/check_events.sh gotestsum BUILD      the same, and gotestsum counts what ctest counts
#   tests/tools/check_events.sh compare BUILD JUNIT EVENTS
#                                                    gotestsum counts in EVENTS what ctest counts in JUNIT: two files of
#                                                    one run of scripts/test
#
# BUILD is a folder to work in. Exit status 77: what it needs (python3, or Go and its module proxy) is not there.
set -euo pipefail

mode=$1
mkdir -p "$2"
work=$(cd "$2" && pwd)
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() {
    echo "skipped: $*"
    exit 77
}
fail() {
    echo "events: $*" >&2
    exit 1
}
command -v python3 >/dev/null || skip "python3 is not on this machine"

# Sets `gotestsum`, which is built once, of a version that the Go at hand compiles.
find_gotestsum() {
    command -v go >/dev/null || skip "Go is not on this machine"
    local minor version=v1.13.0
    minor=$(go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
    if ((minor < 24)); then version=v1.11.0; fi
    gotestsum=$work/gotestsum-$version/gotestsum
    if [[ ! -x "$gotestsum" ]]; then
        GOTOOLCHAIN=local GOFLAGS=-mod=mod GOBIN=${gotestsum%/*} go install "gotest.tools/gotestsum@$version" \
            >"$work/gotestsum.log" 2>&1 || {
            tail -n 5 "$work/gotestsum.log"
            skip "gotestsum can't be built here"
        }
    fi
}

# counted EVENTS: what gotestsum counts, as "run skipped failed". Its own exit status is 1 when tests failed.
counted() {
    local done_line
    "$gotestsum" --no-color --format none --raw-command -- cat "$1" >"$work/gotestsum.out" 2>&1 || true
    done_line=$(grep '^DONE ' "$work/gotestsum.out" | tail -n 1) || fail "gotestsum says: $(tail -n 5 "$work/gotestsum.out")"
    local run skipped failed
    run=$(sed -n 's/^DONE \([0-9]*\) tests\{0,1\}.*/\1/p' <<<"$done_line")
    skipped=$(sed -n 's/.* \([0-9]*\) skipped.*/\1/p' <<<"$done_line")
    failed=$(sed -n 's/.* \([0-9]*\) failures\{0,1\}.*/\1/p' <<<"$done_line")
    echo "${run:-0} ${skipped:-0} ${failed:-0}"
}

# junit FILE: what ctest counts, in the same form.
junit() {
    python3 - "$1" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
cases = tree.parse(sys.argv[1]).getroot().findall("testcase")
count = lambda *states: sum(case.get("status") in states for case in cases)
# A program that could not be started has not run either, and yet it has failed. A skipped test names its property.
lost = sum(case.get("status") == "notrun" and not case.find("skipped").get("message").startswith("SKIP_")
           for case in cases)
print(len(cases), count("notrun", "disabled") - lost, count("fail") + lost)
PYTHON
}

if [[ "$mode" == compare ]]; then
    find_gotestsum
    [[ -f "$3" && -f "$4" ]] || fail "there is no $3 or no $4"
    ctest_counts=$(junit "$3")
    counts=$(counted "$4")
    echo "ctest: $ctest_counts; gotestsum: $counts (run, skipped, failed)"
    [[ "$ctest_counts" == "$counts" ]] || fail "they differ"
    exit 0
fi

rm -rf "$work/made"
mkdir "$work/made"
cd "$work/made"
cat >CTestTestfile.cmake <<CMAKE
add_test(api.Passes "/bin/sh" "-c" "echo hello; printf 'no end of line'")
add_test([=[api.Suite/It.Fails/0]=] "/bin/sh" "-c" "echo ' 1/9 Test #1: api.Passes ...   Passed    0.00 sec'; exit 3")
add_test(api.IsSkipped "/bin/sh" "-c" "exit 77")
set_tests_properties(api.IsSkipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(api.TimesOut "/bin/sh" "-c" "echo before; exec sleep 1000")
set_tests_properties(api.TimesOut PROPERTIES TIMEOUT 1)
add_test(crash "/bin/sh" "-c" "kill -SEGV $\$")
add_test(abort "/bin/sh" "-c" "kill -ABRT $\$")
add_test(expression "/bin/sh" "-c" "echo wrong")
set_tests_properties(expression PROPERTIES PASS_REGULAR_EXPRESSION "right")
add_test(missing "$work/made/there_is_no_such_program")
add_test(off.Disabled "/bin/sh" "-c" "exit 1")
set_tests_properties(off.Disabled PROPERTIES DISABLED ON)
add_test(text.Odd "/bin/sh" "-c" "printf 'a\\\\tb \\\\377 \\\\033[31mred\\\\n\\\\042quoted\\\\042\\\\n'")
# It passes only if the event of another test that has ended is in the file while tests still run.
add_test(stream.Live "/bin/sh" "-c" "until grep -q '\"pass\".*\"Test\": \"Passes\"' '$work/made/events'; do sleep 0.05; done")
set_tests_properties(stream.Live PROPERTIES TIMEOUT 60 DEPENDS api.Passes)
CMAKE

: >events
ctest -V -j 2 --output-junit "$work/made/junit.xml" 2>ctest.err | "$tools/ctest_events.py" events 2>people || true
python3 - <<'PYTHON' || fail "the events in $work/made/events are wrong"
import json, sys

events = [json.loads(line) for line in open("events", encoding="utf-8")]
wanted = {("weft/api", "Passes"): "pass", ("weft/api", "Suite:It.Fails:0"): "fail", ("weft/api", "IsSkipped"): "skip",
          ("weft/api", "TimesOut"): "fail", ("weft", "crash"): "fail", ("weft", "abort"): "fail",
          ("weft", "expression"): "fail", ("weft", "missing"): "fail", ("weft/off", "Disabled"): "skip",
          ("weft/text", "Odd"): "pass", ("weft/stream", "Live"): "pass", ("weft/api", None): "fail",
          ("weft", None): "fail", ("weft/off", None): "skip", ("weft/text", None): "pass", ("weft/stream", None): "pass"}
found, started, output, good = {}, set(), {}, True
for event in events:
    key = (event["Package"], event.get("Test"))
    action = event["Action"]
    if action in ("start", "run"):
        if key in started: good = False; print(key, "begins twice")
        started.add(key)
    elif key not in started or key in found:
        good = False
        print(key, action, "when it does not run")
    if action in ("pass", "fail", "skip"):
        found[key] = action
        if not isinstance(event.get("Elapsed"), (int, float)): good = False; print(key, "has no time")
    if action == "output": output[key] = output.get(key, "") + event["Output"]
for key in sorted(wanted.keys() | found.keys(), key=str):
    if wanted.get(key) != found.get(key):
        good = False
        print(key, "wanted", wanted.get(key), "found", found.get(key))
for key, text in {("weft/api", "Passes"): "hello\nno end of line\n", ("weft/api", "TimesOut"): "before\n",
                  ("weft/text", "Odd"): 'a\tb \ufffd \x1b[31mred\n"quoted"\n',
                  ("weft/api", "Suite:It.Fails:0"): "api.Passes ...   Passed",
                  ("weft", "crash"): "SegFault", ("weft", "missing"): "Not Run"}.items():
    if text not in output.get(key, ""):
        good = False
        print(key, "printed", repr(output.get(key)), "without", repr(text))
sys.exit(0 if good else 1)
PYTHON
grep -q 'before' people || fail "people do not get the output of a test that failed"
if grep -q 'hello' people; then fail "people get the output of a test that passed"; fi
# The same run's file of ctest's own, as .ci/run reads it for its summary.
"$tools/failed_tests.py" junit.xml | sort >failed
printf '%s\n' abort api.Suite/It.Fails/0 api.TimesOut crash expression missing | diff - failed ||
    fail "failed_tests.py names other tests than those that failed"
"$tools/failed_tests.py" --output junit.xml >failed
for line in '--- api.TimesOut' 'before' 'Unable to find executable'; do
    grep -q -e "^$line" failed || fail "failed_tests.py --output does not print $line"
done
# ctest that is killed leaves tests without an end.
printf '%s\n' 'test 1' '    Start 1: cut.Off' '1: Test timeout computed to be: 5' '1: hello' |
    "$tools/ctest_events.py" cut 2>/dev/null
for event in '"fail", "Package": "weft/cut", "Test": "Off"' '"fail", "Package": "weft/cut", "Elapsed"'; do
    grep -q "$event" cut || fail "a test that was running when ctest ended has no event with $event"
done
echo "events: $(grep -c . events), all as they have to be"

if [[ "$mode" == gotestsum ]]; then
    find_gotestsum
    counts=$(counted "$work/made/events")
    echo "gotestsum: $counts (run, skipped, failed)"
    [[ "$counts" == "11 2 6" ]] || fail "gotestsum counts $counts, not 11 2 6"
    [[ "$(junit junit.xml)" == "11 2 6" ]] || fail "ctest's own file says $(junit junit.xml), not 11 2 6"
fi
