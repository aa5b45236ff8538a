#!/usr/bin/env bash
# Is every C++ file as clang-format would write it? Run by ctest as `format`.
#   tests/tools/check_format.sh [--fix] [SOURCE_DIR]
# --fix rewrites the files instead. Other versions of clang-format disagree with 14 over details, so
# without that version the check is skipped (exit status 77).
set -euo pipefail

options=(--dry-run -Werror)
if [[ "${1:-}" == --fix ]]; then
    options=(-i)
    shift
fi
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

tool=
for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
        tool=$candidate
        break
    fi
done
if [[ -z "$tool" ]]; then
    echo "skipped: clang-format 14 is not on this machine"
    exit 77
fi

folders=()
for folder in src include tests bench examples tools; do
    if [[ -d "$folder" ]]; then folders+=("$folder"); fi
done
find "${folders[@]}" \( -name '*.cpp' -o -name '*.hpp' \) -print0 |
    xargs -0 --no-run-if-empty -n 20 "$tool" "${options[@]}" --style=file
