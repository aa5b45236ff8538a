#!/usr/bin/env bash
# gc_ordered_map_test.sh GC_ORDERED_MAP CASE
set -euo pipefail

ordered_map=$1

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expected ACCOUNTS TRANSFERS
expected() {
    printf '4 clerks made %d transfers each\n' "$2"
    printf 'auditors found 0 versions that were wrong\n'
    printf 'first version: %d accounts, %d, as it was\n' "$1" $((100 * $1))
    printf 'last version: %d accounts, %d, in order\n' "$1" $((100 * $1))
}

case_every_version_is_right() {
    diff <(expected 1000 5000) <(timeout 200 "$ordered_map")
}

case_works_with_few_accounts() {
    diff <(expected 2 2000) <(timeout 200 "$ordered_map" 2 2000)
    diff <(expected 50 0) <(timeout 200 "$ordered_map" 50 0)
}

case_refuses_what_is_no_number() {
    local wrong status
    for wrong in 1 -1 x 10x ''; do
        status=0
        out=$("$ordered_map" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' is no number of accounts"
    done
}

"case_$2"
