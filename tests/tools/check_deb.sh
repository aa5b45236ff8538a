#!/usr/bin/env bash
# Installs weft's Debian packages, builds and runs tests/consumer with them, and removes them. For packaging/build-deb.
#
#   tests/tools/check_deb.sh VERSION LIBWEFT-DEV.deb WEFT-TOOLS.deb
#
# It installs into a throw-away layer over this machine's own files, which nobody else sees; that takes root and
# overlayfs. Without them the packages are unpacked into a folder, and the consumer is told to look there.
set -euo pipefail

if [[ $# -lt 3 || "$1" == -h || "$1" == --help ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then exit 0; else exit 2; fi
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "check_deb: $*" >&2
    exit 1
}

# use_it VERSION PREFIX CONSUMER WORK: by CMake and by pkg-config, with both kinds of stack. PREFIX is empty where everything
# is in its usual place.
use_it() {
    local version=$1 prefix=$2 consumer=$3 work=$4 libraries program answer
    libraries=$prefix/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    local settings=("-DWEFT_EXPECTED_VERSION=$version")
    if [[ -n "$prefix" ]]; then
        settings+=("-DCMAKE_PREFIX_PATH=$prefix/usr")
        export PKG_CONFIG_PATH=$libraries/pkgconfig
    fi
    cmake -S "$consumer" -B "$work/cmake" --log-level=WARNING "${settings[@]}"
    cmake --build "$work/cmake"
    grep -qxF "weft_DIR:PATH=$libraries/cmake/weft" "$work/cmake/CMakeCache.txt" ||
        fail "CMake found another weft than that in $libraries"
    mkdir "$work/pkg-config"
    make -B -f "$consumer/Makefile" -C "$work/pkg-config" SOURCE="$consumer" consumer consumer_split
    for program in "$work"/{cmake,pkg-config}/{consumer,consumer_split}; do
        answer=$("$program")
        [[ "$answer" == "consumer: 42" ]] || fail "$program says '$answer'"
    done
    # The tool judges: without its symbols it can't tell what the program is.
    "$prefix/usr/bin/weft-verify-split" "$work/cmake/consumer_split"
    strip -o "$work/stripped" "$work/cmake/consumer_split"
    if "$prefix/usr/bin/weft-verify-split" "$work/stripped" 2>/dev/null; then
        fail "weft-verify-split lets a program pass that has no symbols"
    fi
}

# What runs inside the layer, whose root is this machine's.
if [[ "$1" == --inside ]]; then
    version=$2 consumer=$3
    shift 3
    export HOME=/tmp DEBIAN_FRONTEND=noninteractive
    dpkg --install "$@"
    dpkg --verify libweft-dev weft-tools
    use_it "$version" "" "$consumer" "$(mktemp -d)"
    if dpkg --remove weft-tools 2>/dev/null; then fail "weft-tools may go while libweft-dev needs it"; fi
    dpkg --purge libweft-dev weft-tools
    exit 0
fi

# make_layer WORK: WORK/root is this machine, and what changes there is in WORK/upper, in memory.
make_layer() {
    mount -t tmpfs weft-deb "$1" && mkdir "$1"/{upper,scratch,root} &&
        mount -t overlay weft-deb -o "lowerdir=/,upperdir=$1/upper,workdir=$1/scratch" "$1/root"
}

# What runs in a mount namespace of its own, which takes all its mounts along when it ends.
if [[ "$1" == --layer ]]; then
    version=$2 work=$3
    shift 3
    make_layer "$work"
    for folder in /proc /dev; do mount --rbind "$folder" "$work/root$folder"; done
    # Copies, because the folders that these lie in may be file systems of their own, which are not in the layer.
    mkdir "$work/root/weft-deb"
    cp "$@" "$work/root/weft-deb"
    cp -R "$here/../consumer" "${BASH_SOURCE[0]}" "$work/root/weft-deb"
    (cd "$work/root" && chroot . "/weft-deb/${BASH_SOURCE[0]##*/}" --inside "$version" /weft-deb/consumer \
        "${@/#*\//\/weft-deb\/}")
    rm -rf "$work/root/weft-deb"
    # Packages that were here before would be marks of their removal, and no files.
    left=$(cd "$work/upper" && find . -path ./tmp -prune -o -type f -path '*weft*' -print)
    [[ -z "$left" ]] || fail "removed, and yet there are: $left"
    exit 0
fi

version=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/try" "$work/layer"
export -f make_layer
# shellcheck disable=SC2016
if ((EUID == 0)) && unshare --mount bash -c 'make_layer "$1"' bash "$work/try" 2>/dev/null; then
    echo "check_deb: installing into a throw-away layer"
    unshare --mount "${BASH_SOURCE[0]}" --layer "$version" "$work/layer" "$@"
else
    echo "check_deb: unpacking into a folder, because there is no root or no overlayfs here"
    for deb in "$@"; do dpkg-deb -x "$deb" "$work/root"; done
    mkdir "$work/used"
    use_it "$version" "$work/root" "$(cd "$here/../consumer" && pwd)" "$work/used"
    echo "check_deb: unpacked and used"
    exit 0
fi
echo "check_deb: installed, used and removed"
