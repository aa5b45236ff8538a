#!/usr/bin/env bash
# Links small programs, most of them wrong, and has the verifier look at them. Run by ctest.
#   tests/split/verify/verify_test.sh CXX VERIFIER CASE
# Prints what the verifier says and its exit status; what it ought to say is in CMakeLists.txt.
set -euo pipefail

cxx=$1
verifier=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

split=(-fsplit-stack -maccumulate-outgoing-args -fno-plt -mindirect-branch=thunk-extern
    -mindirect-branch-register -mfunction-return=keep -ffunction-sections)

# object NAME FLAG...: compiles NAME.cpp
object() {
    local name=$1
    shift
    "$cxx" -std=gnu++20 -O2 "$@" -c "$source/$name.cpp" -o "$name.o"
}
# program OBJECT|FLAG...
program() {
    "$cxx" -c "$source/stand_in.S" -o stand_in.o
    "$cxx" "$@" stand_in.o -Wl,-z,now -o program
}
verify() {
    local status=0
    "$verifier" "$@" program 2>&1 || status=$?
    echo "exit status $status"
}
# one NAME FLAG...: all of it, for a program of one file
one() {
    local name=$1
    shift
    object "$name" "${split[@]}" "$@"
    program "$name.o"
    verify
}

case $3 in
marked) one marked ;;
marked_unoptimised) one marked -O0 ;;
assembly) one assembly ;;
inline_copy)
    object inline_copy "${split[@]}"
    object inline_copy_plain
    program inline_copy_plain.o inline_copy.o
    verify
    ;;
inline_copy_in_order)
    object inline_copy "${split[@]}"
    object inline_copy_plain
    program inline_copy.o inline_copy_plain.o
    verify
    ;;
pointer)
    object pointer -fsplit-stack -fno-plt
    program pointer.o
    verify
    ;;
pointer_by_thunk) one pointer ;;
own_thunk)
    object pointer -fsplit-stack -fno-plt -mindirect-branch=thunk -fPIC
    "$cxx" -shared pointer.o -Wl,-z,now -o program
    verify
    ;;
tls)
    object tls "${split[@]}" -fPIC
    program -shared tls.o
    verify
    ;;
goto) one goto ;;
goto_unoptimised) one goto -O0 ;;
goto_fixed)
    object goto "${split[@]}" -fno-pie
    program -no-pie goto.o
    verify
    ;;
goto_packed)
    object goto "${split[@]}"
    program -Wl,-z,pack-relative-relocs goto.o
    verify
    ;;
goto_kept) one goto '-DKEEP=__attribute__((indirect_branch("keep")))' ;;
goto_local) one goto_local -O0 ;;
goto_differences)
    "$cxx" -x c -O2 "${split[@]}" -c "$source/goto_differences.c" -o goto.o
    program goto.o
    verify
    ;;
table) one table -fjump-tables ;;
table_fixed)
    object table "${split[@]}" -fjump-tables -fno-pie
    program -no-pie table.o
    verify
    ;;
table_by_default) one table ;;
linkage_table)
    object library_call -fsplit-stack -mindirect-branch=thunk-extern
    program library_call.o
    verify
    ;;
library_call) one library_call ;;
other_runtime)
    object plain -fsplit-stack
    "$cxx" -fsplit-stack plain.o -Wl,-z,now -o program
    verify
    ;;
lazy)
    object plain "${split[@]}"
    "$cxx" -c "$source/stand_in.S" -o stand_in.o
    echo 'extern "C" int puts(const char*); void unused() { puts(""); }' >unused.cpp
    "$cxx" -fplt -c unused.cpp
    "$cxx" plain.o unused.o stand_in.o -Wl,-z,lazy -o program
    verify
    ;;
bases) one bases ;;
bases_shared)
    object bases "${split[@]}" -fPIC
    program -shared bases.o
    verify
    ;;
stripped)
    object plain "${split[@]}"
    program -s plain.o
    verify
    ;;
allowed)
    object marked "${split[@]}"
    program marked.o
    verify --allow 'app::marked(int)'
    verify --allow _ZN3app6markedEi
    printf '# looked at\napp::caller(int) -> app::marked(int)\n' >allowed
    verify --allow-from allowed
    ;;
linking)
    # Behind g++, by way of a response file: it says what is wrong, and leaves nothing there.
    object marked "${split[@]}"
    object plain "${split[@]}"
    "$cxx" -c "$source/stand_in.S" -o stand_in.o
    echo "marked.o stand_in.o -o 'a program'" >arguments
    status=0
    "$cxx" -wrapper "$verifier,--linking" @arguments 2>&1 || status=$?
    [[ $status != 0 && ! -e "a program" ]] || echo "it is there"
    "$cxx" -wrapper "$verifier,--allow,_ZN3app6markedEi,--linking" @arguments
    [[ -x "a program" ]] && echo "and allowed it is there"
    "$cxx" "${split[@]}" -wrapper "$verifier,--linking" "$source/plain.cpp" stand_in.o -Wl,-z,now
    [[ -x a.out ]] && echo "the right one is there"
    ;;
*)
    echo "no such case: $3"
    exit 2
    ;;
esac
