#!/usr/bin/env bash
# jobserver_test.sh JOBSERVER CASE
set -euo pipefail

jobserver=$1

case_answers_every_line() {
    local workers
    for workers in 1 3 8; do
        printf '%s\n' "collatz 27" "primes 100" "sleep 1" "primes 1" "collatz 1" |
            "$jobserver" --workers "$workers" | sort -n | diff - <(printf '%s\n' \
            "1 done 111" "2 done 25" "3 done slept" "4 done 0" "5 done 0")
    done
    # The last line need not have an end, and there need not be any.
    diff <(printf 'primes 10' | "$jobserver") <(echo "1 done 4")
    diff <("$jobserver" </dev/null) /dev/null
}

case_refuses_bad_lines() {
    {
        printf '%s\n' "" "fly 3" "primes" "primes 1 2" "collatz 0" "within 5" "within no sleep 1" "sleep -1"
        head -c 5000 /dev/zero | tr '\0' x
        printf '\n%s\n' "primes 10"
    } | "$jobserver" | sort -n | diff - <(printf '%s\n' \
        "1 error which job?" "2 error no such job: fly" "3 error primes wants one number" \
        "4 error primes wants one number" "5 error collatz wants a number from 1 to 1000000000" \
        "6 error which job?" "7 error within wants a number from 1 to 86400000" \
        "8 error sleep wants a number from 1 to 86400000" "9 error the line has more than 4096 bytes" \
        "10 done 4")
}

case_ends_what_takes_too_long() {
    printf '%s\n' "within 5 sleep 3600000" "primes 10" | "$jobserver" | sort -n |
        diff - <(printf '%s\n' "1 late" "2 done 4")
    printf '%s\n' "sleep 3600000" "within 3600000 primes 10" | "$jobserver" --limit 5 | sort -n |
        diff - <(printf '%s\n' "1 late" "2 done 4")
}

# Many more jobs than all the queues hold.
case_holds_back_its_reader() {
    local answers
    answers=$(seq 1 5000 | sed 's/^/collatz /' | "$jobserver" --workers 2 --queue 1 |
        sort -n | cut -d ' ' -f 1,2 | md5sum)
    [[ "$answers" == "$(seq 1 5000 | sed 's/$/ done/' | md5sum)" ]]
}

case_explains_itself() {
    "$jobserver" --help | grep -q '^usage: jobserver'
}

case_refuses_bad_options() {
    local options status said
    for options in "--fast" "--workers" "--workers 0" "--queue many" "--limit 1e3" "job"; do
        status=0
        # shellcheck disable=SC2086
        said=$("$jobserver" $options 2>&1 </dev/null) || status=$?
        [[ "$status" == 2 && "$said" == "jobserver: "* && "$said" == *"usage: jobserver"* ]]
    done
}

case_reports_what_it_cannot_write() {
    local status=0 said
    said=$(printf 'primes 10\n' | { "$jobserver" >/dev/full; } 2>&1) || status=$?
    [[ "$status" == 1 && "$said" == "jobserver: No space left on device" ]]
    status=0
    said=$("$jobserver" 2>&1 </) || status=$?
    [[ "$status" == 1 && "$said" == "jobserver: Is a directory" ]]
}

"case_$2"
