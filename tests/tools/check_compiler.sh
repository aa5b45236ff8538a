#!/usr/bin/env bash
# Runs a check that needs a compiler, or skips it by name (exit status 77).
#   tests/tools/check_compiler.sh COMPILER COMMAND...
set -euo pipefail

if ! command -v "$1" >/dev/null; then
    echo "skipped: $1 is not on this machine"
    exit 77
fi
shift
exec "$@"
