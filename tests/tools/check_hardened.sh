#!/usr/bin/env bash
# Do these programs have what hardening flags ask for? scripts/test-hardened runs it on the programs that it builds.
#   tests/tools/check_hardened.sh PROGRAM...
#
#   PIE        the program can be loaded anywhere
#   NX         its stack, and with it each thread's, is not executable, and no segment is writable and executable
#   RELRO      what the dynamic linker has written is read-only from then on, all of it (-z relro -z now)
#   canary     functions with arrays check a word behind them (-fstack-protector-strong)
#   fortify    calls of the C library with known sizes are checked ones (-D_FORTIFY_SOURCE)
#
# It reads all of that with readelf. Where checksec 2 is installed its verdict is held against the same.
set -euo pipefail

if (($# == 0)); then
    echo "usage: tests/tools/check_hardened.sh PROGRAM..." >&2
    exit 2
fi
if ! command -v readelf >/dev/null; then
    echo "skipped: readelf is not on this machine (Debian: binutils)"
    exit 77
fi
has_checksec=false
if command -v checksec >/dev/null && checksec --version 2>/dev/null | grep -q 'v2\.'; then has_checksec=true; fi

failed=0
for program in "$@"; do
    lacks=()
    header=$(readelf -hW "$program")
    segments=$(readelf -lW "$program")
    dynamic=$(readelf -dW "$program")
    symbols=$(readelf -W --dyn-syms "$program")
    grep -q 'Type: *DYN' <<<"$header" || lacks+=(PIE)
    grep -q 'GNU_STACK .* RW ' <<<"$segments" || lacks+=("NX (its stack)")
    if grep -qE '^ +LOAD .* RWE ' <<<"$segments"; then lacks+=("NX (a segment)"); fi
    if ! grep -q GNU_RELRO <<<"$segments" || ! grep -qE 'BIND_NOW|Flags: .*NOW' <<<"$dynamic"; then lacks+=(RELRO); fi
    grep -q ' __stack_chk_fail' <<<"$symbols" || lacks+=(canary)
    grep -qE ' __[a-z]+_chk(@|$)' <<<"$symbols" || lacks+=(fortify)
    if "$has_checksec"; then
        verdict=$(checksec --format=csv --file="$program" 2>/dev/null || true)
        for part in "Full RELRO" "Canary found" "NX enabled" "PIE enabled"; do
            [[ "$verdict" == *"$part"* ]] || lacks+=("'$part' of checksec")
        done
    fi
    if ((${#lacks[@]} > 0)); then
        failed=1
        echo "$program lacks:$(printf ' %s,' "${lacks[@]}" | sed 's/,$//')" >&2
    fi
done
if ((failed == 0)); then
    echo "hardened: $# programs$("$has_checksec" && echo ', and checksec agrees' || echo ' (checksec 2 is not on this machine)')"
fi
exit "$failed"
