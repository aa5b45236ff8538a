#!/usr/bin/env bash
# Builds and tests a copy of examples/superbuild outside of the tree, by its own presets. Run by ctest.
#
#   check_superbuild.sh installed BUILD TARGET...   weft from a prefix, into which BUILD installs it after making TARGETs
#   check_superbuild.sh source                      weft from its sources beside the copy
#   check_superbuild.sh mistakes                    what is said when there is no weft, and nothing else is in the way
#
# CMAKE_GENERATOR, CXX and CMAKE_CXX_COMPILER_LAUNCHER in the environment mean what they mean to CMake.
set -euo pipefail

if [[ $# == 0 || "$1" == -h || "$1" == --help ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    if [[ $# == 0 ]]; then exit 2; else exit 0; fi
fi
way=$1
shift
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$source/examples/superbuild" "$work/superbuild"
rm -rf "$work/superbuild/build"
cd "$work/superbuild"

# A folder with another name each time is no reason to compile everything each time.
export CCACHE_NOHASHDIR=1
# Whatever this environment says of a weft that is installed already.
unset CMAKE_PREFIX_PATH weft_ROOT WEFT_ROOT weft_DIR
CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
export CMAKE_BUILD_PARALLEL_LEVEL

fail() {
    echo "check_superbuild: $*" >&2
    exit 1
}

# expects TEXT COMMAND...: the command fails and says the text.
expects() {
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then fail "should have failed: $*"; fi
    # CMake breaks its messages into lines.
    if [[ "$(tr -s ' \n' ' ' <<<"$said")" != *"$text"* ]]; then fail "no '$text' in: $said"; fi
}

# answers PRESET WHERE: the server that was built does, and what CMake said is that weft was taken from there.
answers() {
    grep -qxF -- "-- superbuild: weft $2" "$work/said" || fail "weft is not from $2"
    local answer
    answer=$(printf 'primes 100\n' | "build/$1/_deps/server-build/jobserver")
    [[ "$answer" == "1 done 25" ]] || fail "jobserver says '$answer'"
}

case $way in
installed)
    build=$1
    shift
    cmake --build "$build" --target "$@"
    cmake --install "$build" --prefix "$work/prefix" >/dev/null
    export CMAKE_PREFIX_PATH=$work/prefix
    config=$(find "$work/prefix" -name weft-config.cmake)
    version=$(sed -n 's/^set(PACKAGE_VERSION "\(.*\)")$/\1/p' "${config%.cmake}-version.cmake")
    cmake --workflow --preset installed | tee "$work/said"
    answers installed "$version from ${config%/*}"

    # One part alone, as its own project: it finds the others where it is told.
    cmake -S server -B "$work/alone" -DCMAKE_BUILD_TYPE=Release \
        -DFETCHCONTENT_SOURCE_DIR_LINES="$work/superbuild/lines" -DFETCHCONTENT_SOURCE_DIR_CREW="$work/superbuild/crew"
    cmake --build "$work/alone"
    (cd "$work/alone" && ctest --output-on-failure --no-tests=error)
    ;;
source)
    # A user has it at ../weft, or says so as here.
    cmake --preset source -DFETCHCONTENT_SOURCE_DIR_WEFT="$source" | tee "$work/said"
    cmake --build --preset source
    ctest --preset source
    answers source "from $source"
    ;;
mistakes)
    # Packages are looked for in this folder alone, so nothing on this machine may pass for an installed weft.
    root=(-DCMAKE_FIND_ROOT_PATH="$work/root" -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY)
    expects 'Add the installation prefix of "weft" to CMAKE_PREFIX_PATH' cmake --preset installed "${root[@]}"
    expects "FETCHCONTENT_SOURCE_DIR_WEFT --> $work/weft" cmake --preset source
    # Another version than the one that is asked for.
    package=$work/root/usr/lib/cmake/weft
    mkdir -p "$package"
    echo 'message(FATAL_ERROR "this version must not be taken")' >"$package/weft-config.cmake"
    printf 'set(PACKAGE_VERSION "9.0.0")\nset(PACKAGE_VERSION_COMPATIBLE FALSE)\n' >"$package/weft-config-version.cmake"
    expects 'weft-config.cmake, version: 9.0.0' cmake --preset installed "${root[@]}"
    ;;
*) fail "installed, source or mistakes, not '$way'" ;;
esac
