#!/usr/bin/env bash
# parked_test.sh PARKED CASE
set -euo pipefail

parked=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$1" "$out" >&2
    exit 1
}

# value KEY: what stands behind KEY in the output.
value() { awk -v key="$1" '$1 == key { print $2 }' <<<"$out"; }

case_prints_lines_that_make_sense() {
    out=$(timeout 100 "$parked" 1000)
    local keys
    keys=$(cut -d ' ' -f 1 <<<"$out" | xargs)
    [[ "$keys" == "coroutines bytes_each spawn_ns ended" ]] || fail "other lines than promised"
    [[ "$(value coroutines)" == 1000 ]] || fail "not as many as asked for"
    [[ "$(value ended)" == 1000 ]] || fail "not all have ended"
    # A wide margin: the thread sanitizer alone keeps close to a megabyte for each stack.
    (($(value bytes_each) > 100 && $(value bytes_each) < 3000000)) || fail "no coroutine is like that"
    (($(value spawn_ns) > 0)) || fail "nothing takes no time"
}

case_one_alone_ends() {
    out=$(timeout 100 "$parked" 1)
    [[ "$(value ended)" == 1 ]] || fail "one alone does not end"
}

case_refuses_what_is_no_number() {
    local wrong status
    for wrong in 0 -1 x 10x ''; do
        status=0
        out=$("$parked" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' is no number of coroutines"
    done
}

"case_$2"
