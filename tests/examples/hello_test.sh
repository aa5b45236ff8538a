#!/usr/bin/env bash
# hello_test.sh HELLO CASE
set -euo pipefail

hello=$1

case_prints_what_the_readme_says() {
    diff - <(timeout 100 "$hello") <<'END'
helper 1 is done
helper 2 is done
helper 3 is done
an hour is too long
the answer is 42
END
}

"case_$2"
