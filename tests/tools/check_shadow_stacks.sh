#!/usr/bin/env bash
# Does no program with weft say that it can run with shadow stacks? Run by ctest as `shadow_stacks`.
#   tests/tools/check_shadow_stacks.sh COMPILER LIBRARY PROGRAM...
#
# With a shadow stack the CPU keeps return addresses a second time, and a `ret` that differs from that copy ends the
# process. weft switches stacks and leaves the shadow stack where it is, so the first return on another coroutine's
# stack would be such a one. The C library turns shadow stacks on only in a program whose GNU property note says SHSTK.
# The linker writes that note only if every object has it. jump.S.o, which each program needs that runs coroutines,
# has none, so no program gets it, whatever flags the rest is compiled with. This script reads the notes:
#
#   1  jump.S.o of LIBRARY has no note of x86 features
#   2  an object with the note, linked with jump.S.o, has lost it, and without jump.S.o has kept it
#   3  no PROGRAM has it
#
# Exit status 77: no readelf, or a compiler without -fcf-protection.
set -euo pipefail

compiler=$1
library=$(realpath "$2")
shift 2
for tool in readelf ar ld; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not on this machine (Debian: binutils)"
        exit 77
    fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

features() { readelf -nW "$1" 2>/dev/null | grep -o 'x86 feature: .*' || true; }
fail() {
    echo "shadow stacks: $*" >&2
    exit 1
}

cd "$work"
echo 'int marked() { return 1; }' >marked.cpp
if ! "$compiler" -fcf-protection -c marked.cpp -o marked.o 2>/dev/null || [[ "$(features marked.o)" != *SHSTK* ]]; then
    echo "skipped: $compiler does not mark objects for shadow stacks"
    exit 77
fi
jump=$(ar t "$library" | grep -E '^jump\.S\.o(bj)?$') || fail "$library has no jump.S.o"
ar x "$library" "$jump"
[[ -z "$(features "$jump")" ]] || fail "$jump has '$(features "$jump")', but weft does not switch shadow stacks"

ld -r marked.o -o alone.o
[[ "$(features alone.o)" == *SHSTK* ]] || fail "the linker drops the note by itself, so this test can't tell"
ld -r marked.o "$jump" -o both.o
[[ "$(features both.o)" != *SHSTK* ]] || fail "the linker keeps the note in spite of $jump"

cd "$OLDPWD"
for program in "$@"; do
    [[ "$(features "$program")" != *SHSTK* ]] || fail "$program has '$(features "$program")'"
done
echo "shadow stacks: $# programs without the note, because of $jump"
