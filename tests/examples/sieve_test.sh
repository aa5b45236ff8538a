#!/usr/bin/env bash
# sieve_test.sh SIEVE CASE
set -euo pipefail

sieve=$1

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# primes COUNT: the first that many, by trial division.
primes() {
    awk -v wanted="$1" 'BEGIN {
        for (n = 2; count < wanted; ++n) {
            for (d = 2; d * d <= n && n % d; ++d) {}
            if (d * d > n) { print n; ++count }
        }
    }'
}

case_prints_a_hundred_primes() {
    diff <(primes 100) <(timeout 100 "$sieve")
    [[ "$(timeout 100 "$sieve" | tail -n 1)" == 541 ]] || fail "the hundredth is 541"
}

case_prints_as_many_as_asked_for() {
    local count
    for count in 1 2 200; do diff <(primes "$count") <(timeout 100 "$sieve" "$count"); done
}

case_refuses_what_is_no_number() {
    local wrong status
    for wrong in 0 -1 x 10x ''; do
        status=0
        out=$("$sieve" "$wrong" 2>&1) || status=$?
        [[ $status == 2 && "$out" == usage:* ]] || fail "'$wrong' is no number of primes"
    done
}

"case_$2"
