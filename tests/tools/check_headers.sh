#!/usr/bin/env bash
# Does each public header compile alone, without a warning, with every compiler named that is there?
# Run by ctest as `headers_warnings`.
#   tests/tools/check_headers.sh INCLUDE_DIR COMPILER...
set -euo pipefail

cd "$1"
shift
warnings=(-Wall -Wextra -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Werror)
failed=0
seen=" "
for compiler in "$@"; do
    if ! command -v "$compiler" >/dev/null; then
        echo "$compiler: not on this machine"
        continue
    fi
    path=$(realpath "$(command -v "$compiler")")
    if [[ "$seen" == *" $path "* ]]; then continue; fi
    seen+="$path "
    # The inner shell expands what is in single quotes.
    # shellcheck disable=SC2016
    # The header comes in by -include: compiled as a file of its own, its #pragma once would be a warning.
    if find weft -name '*.hpp' -print0 | sort -z |
        xargs -0 -P "$(nproc)" -I{} sh -c \
            '"$@" -I. -include {} -x c++ /dev/null || { echo "$1: {} does not compile alone" >&2; exit 1; }' \
            sh "$compiler" -std=c++20 -fsyntax-only "${warnings[@]}"; then
        echo "$compiler: $(find weft -name '*.hpp' | wc -l) headers"
    else
        failed=1
    fi
done
exit "$failed"
