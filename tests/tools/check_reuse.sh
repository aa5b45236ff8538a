#!/usr/bin/env bash
# Does each file say its copyright and licence, as REUSE.toml and LICENSES do for all of them? Run by ctest as `reuse`.
#   tests/tools/check_reuse.sh SOURCE_DIR BUILD_DIR
# The tool comes from PyPI, into a virtual environment in BUILD_DIR that is made once. Exit status 77: there is no
# python3 with venv, PyPI can't be reached, or the sources are no checkout (only git knows what is not part of them).
set -euo pipefail

source=$1
environment=$2/reuse-environment
version=5.0.2

skip() {
    echo "skipped: $*"
    exit 77
}
command -v python3 >/dev/null || skip "python3 is not on this machine"
git -C "$source" rev-parse --is-inside-work-tree >/dev/null 2>&1 || skip "$source is no checkout"
if [[ ! -f "$environment/ready-$version" ]]; then
    rm -rf "$environment"
    python3 -m venv "$environment" >/dev/null || skip "python3 has no venv (Debian: python3-venv)"
    "$environment/bin/pip" --quiet --disable-pip-version-check install "reuse==$version" || skip "PyPI can't be reached"
    touch "$environment/ready-$version"
fi

cmp "$source/LICENSE" "$source/LICENSES/Apache-2.0.txt"
"$environment/bin/reuse" --root "$source" lint
