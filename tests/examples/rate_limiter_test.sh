#!/usr/bin/env bash
# rate_limiter_test.sh RATE_LIMITER CASE
set -euo pipefail

rate_limiter=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$1" "$out" >&2
    exit 1
}

# However late a tick may be, it is never early: the bounds from below hold on any machine.
case_keeps_to_the_rate_after_a_burst() {
    out=$(timeout 100 "$rate_limiter")
    [[ "$(grep -c '^request' <<<"$out")" == 10 ]] || fail "not ten requests"
    awk '$1 == "request" { if ($2 != ++count || $4 < last || $4 < 20 * ($2 - 3)) exit 1; last = $4 }' \
        <<<"$out" || fail "faster than the rate, or out of order"
}

case_refuses_when_the_bucket_is_empty() {
    out=$(timeout 100 "$rate_limiter")
    grep -qx 'one an hour: yes, then no' <<<"$out" || fail "two within an hour"
}

"case_$2"
