#!/usr/bin/env bash
# wakeups_test.sh WAKEUPS CASE
set -euo pipefail

wakeups=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$1" "$out" >&2
    exit 1
}

case_prints_lines_that_make_sense() {
    out=$(timeout 100 "$wakeups" 1)
    [[ "$(cut -d ' ' -f 1 <<<"$out" | xargs)" == "wakeups late_p50_us late_p99_us" ]] ||
        fail "other lines than promised"
    awk '$2 !~ /^[0-9]+$/ { exit 1 } $1 == "wakeups" && $2 < 1 { exit 1 }' <<<"$out" || fail "no numbers"
}

case_refuses_what_is_no_number() {
    local wrong status
    for wrong in 0 -1 x 10x ''; do
        status=0
        out=$("$wakeups" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' is no number of seconds"
    done
}

"case_$2"
