#!/usr/bin/env python3
"""Says which tests of a run failed, by the file that `ctest --output-junit` wrote.

    tests/tools/failed_tests.py FILE             their names, one a line
    tests/tools/failed_tests.py --output FILE    the last lines of what each of them printed, below its name

A test that could not be started has failed, and one that was skipped has not. Of a run with many failures, --output shows
the first 20. When FILE is not whole, because ctest was killed, this says so and exits with 2.
"""
import sys
import xml.etree.ElementTree as tree

LINES = 15
TESTS = 20


def failed(case):
    if case.get("status") == "fail":
        return True
    # A test that skips itself names the property by which ctest knew it; anything else says why it could not start.
    skipped = case.find("skipped")
    return case.get("status") == "notrun" and not (skipped is not None and skipped.get("message", "").startswith("SKIP_"))


def main(arguments):
    output = arguments[:1] == ["--output"]
    names = arguments[1:] if output else arguments
    if len(names) != 1 or names[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if names in (["-h"], ["--help"]) else 2
    try:
        cases = [case for case in tree.parse(names[0]).getroot().iter("testcase") if failed(case)]
    except (OSError, tree.ParseError) as error:
        print(f"failed_tests: {names[0]} can't be read: {error}", file=sys.stderr)
        return 2
    if not output:
        for case in cases:
            print(case.get("name"))
        return 0
    for case in cases[:TESTS]:
        printed = (case.findtext("system-out") or "").rstrip().split("\n")
        left_out = len(printed) - LINES
        print(f"--- {case.get('name')}" + (f", without {left_out} lines before these" if left_out > 0 else ""))
        print("\n".join(printed[-LINES:]))
    if len(cases) > TESTS:
        print(f"--- and {len(cases) - TESTS} more")
    return 0


sys.exit(main(sys.argv[1:]))
