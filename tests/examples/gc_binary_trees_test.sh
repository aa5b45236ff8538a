#!/usr/bin/env bash
# gc_binary_trees_test.sh GC_BINARY_TREES CASE
set -euo pipefail

binary_trees=$1

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# The output of the Computer Language Benchmarks Game's programs for this depth.
expected_10() {
    printf 'stretch tree of depth 11\t check: 4095\n'
    printf '1024\t trees of depth 4\t check: 31744\n'
    printf '64\t trees of depth 8\t check: 32704\n'
    printf 'long lived tree of depth 10\t check: 2047\n'
}

case_counts_all_nodes() {
    diff <(expected_10) <(timeout 100 "$binary_trees" 10)
}

case_keeps_the_long_lived_tree() {
    timeout 200 "$binary_trees" 14 | tail -n 1 | grep -q "check: 32767" ||
        fail "the long lived tree is whole"
}

case_refuses_what_is_no_depth() {
    local wrong status
    for wrong in 3 25 x 10x ''; do
        status=0
        out=$("$binary_trees" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' is no depth"
    done
}

"case_$2"
