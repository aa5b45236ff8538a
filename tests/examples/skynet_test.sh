#!/usr/bin/env bash
# skynet_test.sh SKYNET CASE
set -euo pipefail

skynet=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$1" "$out" >&2
    exit 1
}

# value KEY: what stands behind KEY in the output.
value() { awk -v key="$1" '$1 == key { print $2 }' <<<"$out"; }

case_counts_every_leaf_once() {
    local leaves
    for leaves in 1 10 1000 10000; do
        out=$(timeout 100 "$skynet" "$leaves")
        [[ "$(value sum)" == $((leaves * (leaves - 1) / 2)) ]] || fail "not the sum of $leaves numbers"
        [[ "$(value ms)" =~ ^[0-9]+\.[0-9]$ ]] || fail "that is no time"
    done
}

case_refuses_what_is_no_power_of_ten() {
    local wrong status
    for wrong in 0 -1 -10 20 1001 x 10x ''; do
        status=0
        out=$("$skynet" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' leaves make no such tree"
    done
}

"case_$2"
