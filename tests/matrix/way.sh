#!/usr/bin/env bash
# One row of the matrix (scripts/test-matrix): builds weft in one way, and uses it as another project would.
#
#   tests/matrix/way.sh WAY [OPTION...] [-DNAME=VALUE...]
#
#     readme-install, readme-subproject, readme-pkg-config
#                    README's blocks as they stand there
#     library        weft is the whole build and is installed; then CMake and pkg-config find it
#     subproject     weft is in its parent's build
#     consumer       one installed copy (of README's command), another consumer
#     examples       the examples and their tests, against the installed copy
#
# The row's folder is made anew. The environment says where things are:
#   SOURCE      weft's sources, a copy: README's first command makes build/install there
#   WORK        the row's folder
#   SHARED      what rows have in common: the installed copy, and the runtime for split stacks that others are held against
#   JOBS        how many compilers run at once
#
# Options, all of which have a default:
#   --cxx COMPILER       by default whatever CMake takes
#   --generator NAME     of CMake; by default Ninja
#   --type NAME          CMAKE_BUILD_TYPE; by default Release
#   --flags FLAGS        CMAKE_CXX_FLAGS, also of what uses the library
#   --no-split           there must be no weft::split_stack; by default there must be
#   --folder NAME        sources, build and prefix lie in a folder of this name
#   --target NAME        build this one alone, and run it
#   --edit EXPRESSION    change src/split/CMakeLists.txt by this expression of sed, in a copy of the sources
#   --environment NAME=VALUE
#   --include FILE       CMake includes this file of tests/matrix after project() of what uses weft
#   -DNAME=VALUE         for CMake, in weft's build; in the consumer's for the way `consumer`
#   --also -DNAME=VALUE  for CMake in the consumer's build as well
#
# Exit status 77: something it needs is not on this machine; the last line says what.
set -euo pipefail

if [[ "${1:-}" == -h || "${1:-}" == --help || $# -eq 0 ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SOURCE:?}" "${WORK:?}" "${SHARED:?}" "${JOBS:=$(nproc)}"

fail() {
    echo "matrix: $*" >&2
    exit 1
}

# What the machine's owner sets for all builds must not get into a row.
unset CXXFLAGS CFLAGS CPPFLAGS LDFLAGS CXX CC CMAKE_PREFIX_PATH CMAKE_GENERATOR CMAKE_BUILD_TYPE PKG_CONFIG_PATH
unset CMAKE_CXX_COMPILER_LAUNCHER CMAKE_TOOLCHAIN_FILE DESTDIR
unset CCACHE_BASEDIR
# Some rows have a HOME of their own, and the compiler cache stays where it is. A row that builds in another folder than
# the last one may take its objects: what is compared of them has no debug information.
cached=()
if command -v ccache >/dev/null; then
    CCACHE_DIR=$(ccache --get-config cache_dir)
    export CCACHE_DIR CCACHE_NOHASHDIR=1
    cached=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
export CMAKE_BUILD_PARALLEL_LEVEL=$JOBS

cxx=
generator=Ninja
type=Release
flags=
folder=
target=
edit=
split=true
settings=()
include=()
also=()

options() {
    while (($# > 0)); do
        case $1 in
            --no-split) split=false ;;
            -D*) settings+=("$1") ;;
            --cxx | --generator | --type | --flags | --folder | --target | --edit | --also | --environment | \
                --include)
                [[ $# -ge 2 ]] || fail "$1 wants a value"
                case $1 in
                    --cxx) cxx=$2 ;;
                    --generator) generator=$2 ;;
                    --type) type=$2 ;;
                    --flags) flags=$2 ;;
                    --folder) folder=$2 ;;
                    --target) target=$2 ;;
                    --edit) edit=$2 ;;
                    --also) also+=("$2") ;;
                    --environment) export "${2?}" ;;
                    --include) include=("-DCMAKE_PROJECT_consumer_INCLUDE=$here/$2") ;;
                esac
                shift
                ;;
            *) fail "don't know what to do with '$1'; --help says what there is" ;;
        esac
        shift
    done
    if [[ -n "$cxx" ]] && ! command -v "$cxx" >/dev/null; then
        echo "$cxx is not on this machine"
        exit 77
    fi
}

run() {
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}

# ---------------------------------------------------------------------------------------- the runtime's bytes

# contents SECTION OBJECT
contents() { readelf -x "$1" "$2" 2>/dev/null | grep '^  0x' || true; }

# same_bytes OBJECT: the runtime for split stacks is the same as in all rows before that had this compiler and these
# libraries, except for debug information.
same_bytes() {
    local name kept=$SHARED/runtime stripped=$WORK/weft_split.stripped.o section differ=()
    name=$("${cxx:-c++}" -dumpfullversion)
    local setting
    for setting in "${settings[@]}"; do
        # What decides whose functions the runtime calls.
        case $setting in -DWEFT_SPLIT_STRICT=*) ;; -DWEFT_*) name+=-${setting//[^A-Za-z0-9]/_} ;; esac
    done
    mkdir -p "$kept"
    objcopy --strip-debug "$1" "$stripped"
    printf 'runtime-sha256 %s\n' "$(sha256sum <"$stripped" | cut -d' ' -f1)"
    if [[ ! -e "$kept/$name.o" ]]; then
        cp "$stripped" "$kept/$name.o"
        return
    fi
    if cmp -s "$stripped" "$kept/$name.o"; then return; fi
    while IFS= read -r section; do
        contents "$section" "$kept/$name.o" >"$WORK/section.1"
        contents "$section" "$stripped" >"$WORK/section.2"
        cmp -s "$WORK/section.1" "$WORK/section.2" || differ+=("$section")
    done < <(for object in "$kept/$name.o" "$stripped"; do
        objdump -h -w "$object" | awk '$1 ~ /^[0-9]+$/ { print $2 }'
    done | sort -u)
    fail "weft_split.o is not what another row's is. Sections that differ:" \
        "${differ[*]:-none has other contents, so it is symbols or relocations}"
}

# ------------------------------------------------------------------------------------------- building and use

# configure SOURCE BUILD ARGUMENT...
configure() {
    local source=$1 build=$2 words=(-G "$generator")
    shift 2
    if [[ "$generator" != *Multi-Config ]]; then words+=("-DCMAKE_BUILD_TYPE=$type"); fi
    if [[ -n "$cxx" ]]; then words+=("-DCMAKE_CXX_COMPILER=$cxx"); fi
    if [[ -n "$flags" ]]; then words+=("-DCMAKE_CXX_FLAGS=$flags"); fi
    run cmake -S "$source" -B "$build" "${words[@]}" "$@"
}

build() {
    local folder=$1
    shift
    run cmake --build "$folder" --config "$type" "$@"
}

# program BUILD NAME: where CMake has put it.
program() {
    if [[ "$generator" == *Multi-Config ]]; then echo "$1/${type:-Debug}/$2"; else echo "$1/$2"; fi
}

# try_out BUILD: runs what tests/consumer is built to.
try_out() {
    if [[ -n "$target" ]]; then
        run "$(program "$1" "$target")"
        return
    fi
    run "$(program "$1" consumer)"
    if $split; then
        [[ -x "$(program "$1" consumer_split)" ]] || fail "there is no weft::split_stack"
        run "$(program "$1" consumer_split)"
    elif [[ -e "$(program "$1" consumer_split)" ]]; then
        fail "there is a weft::split_stack, where there must be none"
    fi
}

# The sources, in a folder of the row's if it asks for one: `sources` and `place` say where.
sources=$SOURCE
place=$WORK
take_sources() {
    if [[ -n "$folder" ]]; then place=$WORK/$folder; fi
    mkdir -p "$place"
    if [[ -z "$folder" && -z "$edit" ]]; then return; fi
    sources=$place/weft
    copy_sources "$sources"
    if [[ -n "$edit" ]]; then
        sed -i -E "$edit" "$sources/src/split/CMakeLists.txt"
        if cmp -s "$SOURCE/src/split/CMakeLists.txt" "$sources/src/split/CMakeLists.txt"; then
            fail "--edit $edit changes nothing"
        fi
    fi
}

copy_sources() {
    mkdir -p "$1"
    tar -C "$SOURCE" --exclude=./build -cf - . | tar -C "$1" -xf -
}

# use PREFIX: a project that finds weft there by CMake.
use() {
    configure "$sources/tests/consumer" "$place/use" "-DCMAKE_PREFIX_PATH=$1" "${include[@]}" "${also[@]}"
    build "$place/use" ${target:+--target "$target"}
    try_out "$place/use"
}

# use_make PREFIX: the same by pkg-config and make.
use_make() {
    local pc programs=(consumer)
    pc=$(find "$1" -name weft.pc -printf '%h\n')
    if $split; then programs+=(consumer_split); fi
    mkdir -p "$place/make"
    PKG_CONFIG_PATH=$pc run make -B -C "$place/make" -f "$sources/tests/consumer/Makefile" \
        "SOURCE=$sources/tests/consumer" "CXX=${cxx:-c++}${flags:+ $flags}" "${programs[@]}"
    run "$place/make/consumer"
    if $split; then run "$place/make/consumer_split"; fi
}

without_extras=(-DWEFT_BUILD_TESTS=OFF -DWEFT_BUILD_BENCH=OFF -DWEFT_BUILD_EXAMPLES=OFF)

way_library() {
    take_sources
    configure "$sources" "$place/build" "${without_extras[@]}" "-DCMAKE_INSTALL_PREFIX=$place/prefix" \
        "${settings[@]}" "${also[@]}"
    build "$place/build"
    run cmake --install "$place/build" --config "$type"
    if $split && [[ -z "$edit" ]]; then same_bytes "$(find "$place/prefix" -name weft_split.o)"; fi
    use "$place/prefix"
    # make splits words at spaces, and pkg-config's words have no quotes that last.
    if [[ "$folder" != *[\ ,]* && "${#also[@]}" -eq 0 ]]; then use_make "$place/prefix"; fi
}

way_subproject() {
    take_sources
    configure "$sources/tests/consumer" "$place/build" "-DWEFT_SOURCE_DIR=$sources" \
        "${cached[@]}" "${include[@]}" "${settings[@]}"
    build "$place/build"
    try_out "$place/build"
    if $split; then same_bytes "$(find "$place/build" -name weft_split.o)"; fi
}

way_consumer() {
    installed
    take_sources
    local prefix=$SHARED/home/.local
    if [[ -n "$folder" ]]; then
        cp -R "$prefix" "$place/prefix"
        prefix=$place/prefix
    fi
    also+=("${settings[@]}")
    use "$prefix"
}

way_examples() {
    installed
    configure "$here/examples" "$WORK/build" "-DCMAKE_PREFIX_PATH=$SHARED/home/.local" "-DWEFT=$SOURCE" \
        "${settings[@]}"
    build "$WORK/build"
    run ctest --test-dir "$WORK/build" --output-on-failure --no-tests=error -j "$JOBS"
}

# --------------------------------------------------------------------------------------------------- README's

# block HEADING LANGUAGE N: the N-th block of README below the words HEADING in bold, or as a heading. LANGUAGE is the
# word at its fence, or `indented`.
block() {
    local text
    text=$(awk -v heading="$1" -v language="$2" -v wanted="$3" '
        /^(#|\*\*)/ && !fence {
            title = $0
            if (!sub(/^#+ +/, "", title)) { sub(/^\*\*/, "", title); sub(/\*\*.*$/, "", title) }
            inside = (title == heading)
        }
        inside && language == "indented" && !fence && /^    / {
            if (!before) ++count
            before = 1
            if (count == wanted) print substr($0, 5)
            next
        }
        { before = 0 }
        /^```/ {
            if (fence) { fence = 0 } else {
                fence = 1
                mine = (inside && $0 == "```" language && ++count == wanted)
            }
            next
        }
        fence && mine { print }
    ' "$SOURCE/README.md")
    if [[ -z "$text" ]]; then
        fail "README.md has no block $3 of the kind '$2' below '$1'; tests/matrix/way.sh looks for it"
    fi
    printf '%s\n' "$text"
}

# as_said FOLDER HOME: runs the commands that come in, as somebody does who has just read README. A warning in the first
# thing that weft prints would not do.
as_said() {
    local folder=$1 home=$2 commands output=$WORK/output
    commands=$(cat)
    printf '%s\n' "$commands" | sed 's/^/$ /'
    (cd "$folder" && env -i "PATH=$PATH" "HOME=$home" "CMAKE_BUILD_PARALLEL_LEVEL=$JOBS" \
        ${CCACHE_DIR:+"CCACHE_DIR=$CCACHE_DIR" CCACHE_NOHASHDIR=1 CMAKE_CXX_COMPILER_LAUNCHER=ccache} \
        bash -euo pipefail -c "$commands" 2>&1) | tee "$output"
    if grep -q 'warning:' "$output"; then fail "README's commands print a warning: see above"; fi
}

# prints_what_readme_says PROGRAM: the lines in any order, since a slow machine may change it.
prints_what_readme_says() {
    diff <("$1" | sort) <(block "A program" indented 1 | sort) ||
        fail "the program prints something else than README says"
}

# The copy that README's first command installs, once for all rows.
installed() {
    if [[ -e $SHARED/home/.local.done ]]; then return; fi
    rm -rf "${SHARED:?}/home"
    mkdir -p "$SHARED/home"
    block "From an installed copy." indented 1 | as_said "$SOURCE" "$SHARED/home"
    touch "$SHARED/home/.local.done"
}

way_readme_install() {
    installed
    same_bytes "$(find "$SHARED/home" -name weft_split.o)"
    mkdir -p "$WORK/program"
    block "A program" cpp 1 >"$WORK/program/main.cpp"
    block "From an installed copy." cmake 1 >"$WORK/program/CMakeLists.txt"
    block "From an installed copy." indented 2 | as_said "$WORK/program" "$SHARED/home"
    prints_what_readme_says "$WORK/program/build/program"
}

way_readme_subproject() {
    mkdir -p "$WORK/program" "$WORK/home"
    copy_sources "$WORK/program/weft"
    block "A program" cpp 1 >"$WORK/program/main.cpp"
    block "As a subproject." cmake 1 >"$WORK/program/CMakeLists.txt"
    block "As a subproject." indented 1 | as_said "$WORK/program" "$WORK/home"
    prints_what_readme_says "$WORK/program/build/program"
    # Nothing is built that nobody has asked for. The runtime for split stacks is compared where subprojects use it.
    local extra
    extra=$(find "$WORK/program/build" \( -name '*.o' -path '*split*' -o -name 'weft-*' -type f -perm /1 \) \
        ! -path '*/weft.dir/*' -print -quit)
    if [[ -n "$extra" ]]; then fail "the subproject has built what the program does not need: $extra"; fi
}

way_readme_pkg_config() {
    installed
    mkdir -p "$WORK/program"
    block "A program" cpp 1 >"$WORK/program/main.cpp"
    block "Without CMake." indented 1 | as_said "$WORK/program" "$SHARED/home"
    prints_what_readme_says "$WORK/program/program"
}

way=$1
shift
if ! declare -F "way_${way//-/_}" >/dev/null; then fail "there is no way '$way'; --help says which there are"; fi
options "$@"
rm -rf "$WORK"
mkdir -p "$WORK" "$SHARED"
"way_${way//-/_}"
