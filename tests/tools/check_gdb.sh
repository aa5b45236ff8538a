#!/usr/bin/env bash
# Does tools/gdb/weft-gdb.py find every coroutine and its stack? Run by ctest as `gdb_*`.
#   tests/tools/check_gdb.sh SCRIPT PROGRAM live|attach|server|core|stripped|stripped_core WORK_DIR
# PROGRAM is tests/gdb/every_wait.cpp. Exit status 77: there is no gdb with Python here, or it may not look at processes,
# or the kernel writes no core into the working directory.
set -euo pipefail

script=$1
program=$2
mode=$3
work=$4

skip() {
    echo "skipped: $*"
    exit 77
}
gdb=$(command -v gdb) || skip "gdb is not on this machine (Debian: gdb)"
"$gdb" -batch -nx -ex 'python import gdb.unwinder' 2>&1 | grep -q . && skip "this gdb has no Python"
rm -rf "$work"
mkdir -p "$work"
cd "$work"

if [[ $mode == stripped* ]]; then
    strip -o every_wait "$program"
    program=$work/every_wait
fi
# Printers of others fail on values that are optimised out, in builds with debug information.
commands=(-ex "disable pretty-printer" -ex 'set pagination off' -ex 'set width 0' -ex 'set confirm off'
    -ex 'set backtrace limit 60' -ex 'info coroutines' -ex 'info processors'
    -ex 'coroutine apply all bt' -ex 'info coroutines receive' -ex 'bt 1')

case $mode in
live | stripped)
    "$gdb" -batch -nx -x "$script" -ex 'set pagination off' -ex 'set debuginfod enabled off' \
        -ex 'run trap' "${commands[@]}" -ex 'call (void)weft_dump()' -ex kill "$program" >out 2>&1 || true
    ;;
server)
    command -v gdbserver >/dev/null || skip "gdbserver is not on this machine (Debian: gdbserver)"
    "$gdb" -batch -nx -x "$script" -ex "target remote | gdbserver - '$program' trap 2>server" \
        -ex continue "${commands[@]}" \
        -ex kill "$program" >out 2>&1 || true
    ;;
attach)
    "$program" stop >run 2>&1 &
    pid=$!
    for _ in {1..100}; do
        grep -q '^State:.T' "/proc/$pid/status" && break
        sleep 0.1
    done
    "$gdb" -batch -nx -x "$script" -p "$pid" "${commands[@]}" -ex kill >out 2>&1 || true
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    ;;
core | stripped_core)
    [[ $(cat /proc/sys/kernel/core_pattern) == core* ]] || skip "cores go elsewhere"
    # Without a report, which takes so long that other coroutines go on meanwhile.
    (ulimit -c unlimited && WEFT_DEBUG=crash=0 exec "$program" abort) >run 2>&1 || true
    core=$(find . -name 'core*' -print -quit)
    [[ -n $core ]] || skip "there is no core"
    "$gdb" -batch -nx -x "$script" "${commands[@]}" "$program" "$core" >out 2>&1 || true
    ;;
esac
if grep -q 'ptrace: Operation not permitted\|Could not trace the inferior' out; then
    skip "gdb may not look at processes"
fi

faults=0
expect() { # TEXT
    grep -qF -- "$1" out || {
        echo "not there: $1"
        faults=1
    }
}
refuse() {
    if grep -qF -- "$1" out; then
        echo "should not be there: $1"
        faults=1
    fi
}
# What is between the line of a coroutine in `coroutine apply all` and the next empty line.
stack_of() { awk -v name="'$1'" '/^coroutine /{on = index($0, name) != 0; n = on ? n + 1 : n} on && n == 2' out; }

refuse "Traceback"
refuse "Python Exception"
expect "'recv' [chan receive 0x"
expect "'send' [chan send 0x"
expect "'select' [select]"
expect "'mutex' [mutex 0x"
expect "'shared' [shared_mutex 0x"
expect "'semaphore' [semaphore 0x"
expect "'latch' [latch 0x"
expect "'barrier' [barrier 0x"
expect "'group' [wait_group 0x"
expect "'condition' [condition_variable 0x"
expect "'target' [sleep"
expect "'join' [join of coroutine "
expect "'place' [a place in a scope 0x"
expect "'scope_join' [scope::join 0x"
expect "'blocking' [in a blocking call], created at "
expect "'fresh' [runnable, not started], created at "
expect "'main' [running], created at "
expect "every_wait.cpp:"
expect "processor 0: thread "

# A stack of each that is parked: down to its function, or, without symbols, deep enough.
for name in recv send select mutex shared semaphore latch barrier group condition join place scope_join deep; do
    stack=$(stack_of "$name")
    case $mode in
    stripped*)
        frames=$(grep -c '^#' <<<"$stack" || true)
        if ((frames < 5)); then
            echo "the stack of '$name' has $frames frames"
            faults=1
        fi
        ;;
    *)
        function=in_$name
        [[ $name == place ]] && function=in_scope_place
        grep -q "$function" <<<"$stack" || {
            echo "the stack of '$name' does not show $function"
            faults=1
        }
        ;;
    esac
done
if [[ $mode != stripped* ]]; then
    count=$(stack_of deep | grep -c in_deep || true)
    if ((count != 21)); then
        echo "in_deep is there $count times, not 21"
        faults=1
    fi
fi
if [[ $mode == live ]]; then
    expect "'recv' [chan receive 0x"
    expect "18 coroutines"
fi
rm -f core*
if ((faults)); then
    cat out
    exit 1
fi
