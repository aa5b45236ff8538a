#!/usr/bin/env bash
# Makes the Conan package of packaging/conan, and builds and runs its test_package with it. Run by ctest.
#
#   check_conan.sh WORK [OPTION=VALUE]...     e.g. check_conan.sh build/conan split_stack=False
#
# Conan comes from PyPI into WORK/venv, and its cache is WORK/home: nothing outside of WORK changes. Exit status 77
# means that there is no Conan to be had.
set -euo pipefail

if [[ $# == 0 || "$1" == -h || "$1" == --help ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    if [[ $# == 0 ]]; then exit 2; else exit 0; fi
fi
mkdir -p "$1"
work=$(cd "$1" && pwd)
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

conan=$work/venv/bin/conan
if [[ ! -x "$conan" ]]; then
    rm -rf "$work/venv"
    if ! { python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q --disable-pip-version-check install 'conan>=2.5,<3'; } \
        >"$work/pip.log" 2>&1; then
        rm -rf "$work/venv"
        tail -n 2 "$work/pip.log"
        echo "skipped: Conan can't be installed (Debian: python3-venv, and PyPI within reach); see $work/pip.log"
        exit 77
    fi
fi

export CONAN_HOME=$work/home
# What belongs to the builds around this one.
unset CMAKE_GENERATOR CMAKE_CXX_COMPILER_LAUNCHER CMAKE_PREFIX_PATH CXX CC CXXFLAGS CPPFLAGS LDFLAGS
export CCACHE_NOHASHDIR=1
"$conan" profile detect --force >"$work/profile.log" 2>&1

options=()
for option in "$@"; do options+=(-o "weft/*:$option"); done
"$conan" create packaging/conan --no-remote --build='weft/*' -s compiler.cppstd=20 -s build_type=Release "${options[@]}" \
    -c tools.cmake.cmake_layout:test_folder="$work/test" -c tools.cmake.cmaketoolchain:user_presets= \
    -c tools.build:jobs="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
