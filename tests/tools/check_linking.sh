#!/usr/bin/env bash
# Does weft link wherever it says so, and is it refused in words everywhere else? Run by ctest as `linking.<case>`.
#   tests/tools/check_linking.sh SETTINGS CASE
#   tests/tools/check_linking.sh --help
#
# SETTINGS is what CMake knows of the build: build/<preset>/linking/settings.sh. The cases `prefix` and `static_prefix`
# install weft for the others. Exit status 77: something that the case needs is not on this machine.
set -euo pipefail

if [[ $# -ne 2 || "$1" == --help ]]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    [[ "${1:-}" == --help ]] && exit 0
    exit 2
fi
source=; build=; work=; generator=; config=; flags=; config_flags=; launcher=; cxx=; compiler=; version=; targets=
has_split=; mimalloc=; werror=; libdir=
# shellcheck disable=SC1090
source "$1"
name=$2
prefix=$work/prefix
static_prefix=$work/static_prefix
own=$work/case_$name # What this case makes.
rm -rf "$own"
mkdir -p "$own"
cd "$own"

skip() {
    echo "skipped: $*"
    exit 77
}
need() {
    local tool
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null; then skip "$tool is not on this machine"; fi
    done
}

# runs COMMAND...: shows it, and ends the test if it fails.
runs() {
    echo "\$ $*"
    "$@"
}

# fails EXPRESSION COMMAND...: it must fail, and say what matches, whatever the breaks of its lines.
fails() {
    local expression=$1 output status=0
    shift
    echo "\$ $*"
    output=$("$@" 2>&1) || status=$?
    if ((status == 0)); then
        echo "it should have failed with: $expression"
        exit 1
    fi
    says "$expression" "$output"
}

# says EXPRESSION TEXT
says() {
    if ! tr -s ' \n' '  ' <<<"$2" | grep -Eq -- "$1"; then
        printf '%s\nit should have said: %s\n' "$2" "$1"
        exit 1
    fi
    echo "it says: $1"
}

# configures FOLDER OPTION...: a small project, or weft itself, in the folder `tree` of this case.
tree=tree
configures() {
    local folder=$1
    shift
    cmake -S "$folder" -B "$own/$tree" --fresh -G "$generator" -DCMAKE_BUILD_TYPE="$config" \
        -DCMAKE_CXX_COMPILER="$cxx" "$@"
}
here=$source/tests/linking
bare=(-DWEFT_BUILD_TESTS=OFF -DWEFT_BUILD_BENCH=OFF -DWEFT_BUILD_EXAMPLES=OFF)

# What pkg-config says of a package of the prefix, as an array.
said=()
pkg_config() {
    local where=$1
    shift
    read -ra said < <(PKG_CONFIG_PATH=$where/$libdir/pkgconfig pkg-config "$@")
}

hello=$source/bench/api/hello.cpp

# A link by another linker than GNU ld must not reach the verifier's judgement of the program.
case_split_linkers() {
    need pkg-config
    local linker tried=0
    pkg_config "$prefix" --cflags weft-split-stack
    runs "$cxx" -std=c++20 -O2 "${said[@]}" -c "$source/tests/consumer/main.cpp" -o main.o
    pkg_config "$prefix" --libs weft-split-stack
    local refusal='^weft-verify-split: split stacks need GNU ld, and this link is made by .*: link with -fuse-ld=bfd'
    for linker in gold lld; do
        if ! command -v "ld.$linker" >/dev/null; then
            echo "ld.$linker is not on this machine"
            continue
        fi
        tried=$((tried + 1))
        fails "$refusal" "$cxx" "-fuse-ld=$linker" main.o "${said[@]}" -o "$linker"
        # The same where nobody has asked for it, because that is the system's linker.
        mkdir -p "as_ld_$linker"
        ln -sf "$(command -v "ld.$linker")" "as_ld_$linker/ld"
        fails "$refusal" "$cxx" "-Bas_ld_$linker" main.o "${said[@]}" -o "$linker"
        [[ ! -e "$linker" ]]
    done
    if ((tried == 0)); then skip "neither gold nor lld is on this machine"; fi
    runs "$cxx" -fuse-ld=bfd main.o "${said[@]}" -o bfd
    runs ./bfd

    # A program that was linked without the wrapper, and is shown to the verifier later. Without optimisation lld leaves
    # something in it that looks wrong.
    if command -v ld.lld >/dev/null; then
        local at plain=()
        for ((at = 0; at != ${#said[@]}; ++at)); do
            if [[ "${said[at]}" == -wrapper ]]; then
                at=$((at + 1))
            else
                plain+=("${said[at]}")
            fi
        done
        pkg_config "$prefix" --cflags weft-split-stack
        runs "$cxx" -std=c++20 -O0 "${said[@]}" -c "$source/tests/consumer/main.cpp" -o unseen.o
        runs "$cxx" -fuse-ld=lld unseen.o "${plain[@]}" -o unseen
        fails 'split stacks need GNU ld, and LLD has linked this: link with -fuse-ld=bfd' \
            "$prefix/bin/weft-verify-split" unseen
    fi
}

case_split_static() {
    need pkg-config
    pkg_config "$prefix" --cflags weft-split-stack
    runs "$cxx" -std=c++20 -O2 "${said[@]}" -c "$hello" -o hello.o
    pkg_config "$prefix" --libs weft-split-stack
    local option
    for option in -static -static-pie; do
        fails "^weft-verify-split: split stacks need the dynamic C library, .*: link without $option, or link weft::weft" \
            "$cxx" "$option" hello.o "${said[@]}" -o program
        [[ ! -e program ]]
    done
    # Static libraries in a dynamic program are another matter.
    runs "$cxx" -static-libgcc -Wl,-Bstatic,-Bdynamic hello.o "${said[@]}" -o program
    runs ./program
}

case_prefix() {
    rm -rf "$prefix"
    # shellcheck disable=SC2086
    runs cmake --build "$build" --config "$config" --target $targets
    runs cmake --install "$build" --config "$config" --prefix "$prefix"
}

# weft once more, for programs without shared libraries. A compiler cache has nearly all of it already.
case_static_prefix() {
    if [[ "$("$cxx" -print-file-name=libc.a)" == libc.a ]]; then skip "the C library has no libc.a here"; fi
    local upper=${config^^}
    rm -rf "$static_prefix"
    local static_tree=$work/static_tree
    cmake -S "$source" -B "$static_tree" -G "$generator" -DCMAKE_BUILD_TYPE="$config" \
        -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" -DCMAKE_CXX_FLAGS="$flags" \
        -DCMAKE_CXX_FLAGS_"$upper"="$config_flags" -DWEFT_WERROR="$werror" "${bare[@]}" \
        -DWEFT_STATIC=ON -DWEFT_CAPSTONE_LIBRARY= -DCMAKE_INSTALL_LIBDIR="$libdir"
    runs cmake --build "$static_tree" --config "$config" -j 2
    runs cmake --install "$static_tree" --config "$config" --prefix "$static_prefix"
}

case_static() {
    configures "$here/static" -DCMAKE_PREFIX_PATH="$static_prefix" -DMAIN="$source/tests/consumer/main.cpp"
    runs cmake --build tree --config "$config" -j 2
    local kind
    for kind in static static-pie; do
        runs "tree/$kind"
        if readelf -lW "tree/$kind" | grep INTERP; then
            echo "tree/$kind needs a dynamic linker"
            exit 1
        fi
    done
    need pkg-config
    pkg_config "$static_prefix" --cflags --libs --static weft
    runs "$cxx" -std=c++20 -O2 -static "$hello" "${said[@]}" -o by_pkg_config
    runs ./by_pkg_config
}

case_sizes() {
    need pkg-config strip
    pkg_config "$prefix" --cflags --libs weft
    runs "$cxx" -std=c++20 -O2 -DNDEBUG -Wl,--gc-sections -s "$hello" "${said[@]}" -o dynamic
    pkg_config "$static_prefix" --cflags --libs weft
    runs "$cxx" -std=c++20 -O2 -DNDEBUG -static -Wl,--gc-sections -s "$hello" "${said[@]}" -o static
    runs ./dynamic
    runs ./static
    local kind is most bad=0
    for kind in dynamic:330000 static:1240000; do
        most=${kind#*:}
        kind=${kind%:*}
        is=$(stat -c %s "$kind")
        echo "hello, $kind, stripped, --gc-sections: $is bytes (at most $most)"
        if ((is > most)); then bad=1; fi
    done
    # Other compilers and other flags make code of other sizes.
    if [[ "$compiler" != "GNU 12."* || "$config_flags" != *-O2* ]]; then skip "the limits are those of g++ 12 at -O2"; fi
    return "$bad"
}

case_plugin() {
    configures "$here/plugin" -DCMAKE_PREFIX_PATH="$prefix"
    runs cmake --build tree --config "$config" -j 2
    local scope
    for scope in local global; do runs tree/host "$scope" ./tree/libone.so ./tree/libother.so; done
    if ldd tree/host | grep -E 'boost|mimalloc'; then
        echo "the host links what only the plug-ins need"
        exit 1
    fi
    # The runtime inside is the plug-in's own.
    if nm -D --defined-only tree/libone.so | grep -E ' [TDBR] .*weft'; then
        echo "the plug-in exports the runtime"
        exit 1
    fi
    if command -v python3 >/dev/null; then
        runs python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL("./tree/libone.so").answer() != 42)'
    fi
}

# A program compiled against the headers of another minor version must not link, and the message must name that version.
case_versions_do_not_mix() {
    need pkg-config
    cp -r "$prefix/include" other
    sed -i -E 's/^(#define WEFT_VERSION_MINOR) .*/\1 99/' other/weft/version.hpp
    echo '#include <weft/clock.hpp>
int main() {}' >idle.cpp
    local symbol="weft_abi_${version%%.*}_99" more
    pkg_config "$prefix" --cflags --libs weft
    for more in "-O0" "-O2 -Wl,--gc-sections -ffunction-sections" "-O2 -flto" "-O2 -flto -Wl,--gc-sections"; do
        # shellcheck disable=SC2086
        fails "undefined reference to .$symbol" "$cxx" -std=c++20 $more -Iother "$hello" "${said[@]}" -o mixed
        # It calls nothing of weft.
        # shellcheck disable=SC2086
        fails "undefined reference to .$symbol" "$cxx" -std=c++20 $more -Iother idle.cpp "${said[@]}" -o mixed
        # shellcheck disable=SC2086
        runs "$cxx" -std=c++20 $more idle.cpp "${said[@]}" -o same
        runs ./same
    done
    # One object of two.
    runs "$cxx" -std=c++20 -Iother -c idle.cpp -Dmain=idle -o idle.o
    fails "undefined reference to .$symbol" "$cxx" -std=c++20 "$hello" idle.o "${said[@]}" -o mixed
    if command -v clang++ >/dev/null; then
        fails "undefined reference to .$symbol" clang++ -std=c++20 -O2 -Iother "$hello" "${said[@]}" -o mixed
    fi
    if [[ "$has_split" == ON ]]; then
        pkg_config "$prefix" --cflags --libs weft-split-stack
        fails "undefined reference to .$symbol" "$cxx" -std=c++20 -O2 -Iother "$hello" "${said[@]}" -o mixed
        runs "$cxx" -std=c++20 -O2 idle.cpp "${said[@]}" -o same
        runs ./same
    fi
}

case_components() {
    local project=$here/components
    local found=(-DCMAKE_PREFIX_PATH="$prefix")
    if [[ "$has_split" == ON ]]; then
        says "there is weft::split_stack " "$(configures "$project" "${found[@]}" "-DWANTED=COMPONENTS;split_stack" 2>&1)"
    else
        fails "split_stack can't be used here: this weft was built without it" \
            configures "$project" "${found[@]}" "-DWANTED=COMPONENTS;split_stack"
    fi
    fails "weft has no component fibers; it has: split_stack" \
        configures "$project" "${found[@]}" "-DWANTED=COMPONENTS;fibers"
    says "split_stack:" "$(configures "$project" "${found[@]}" "-DWANTED=$version;OPTIONAL_COMPONENTS;fibers" 2>&1)"
    # Another minor before 1.0, another major ever.
    local other
    for other in 99.0 "${version%%.*}.99" 0.0; do
        fails "refused: +considered: $version" configures "$project" "${found[@]}" "-DWANTED=$other"
    done
}

# A program of clang++ with a weft of g++: weft::weft works, and there is no weft::split_stack.
case_clang() {
    need clang++
    if [[ "$compiler" != GNU* ]]; then skip "this weft was not compiled by g++"; fi
    cxx=clang++
    local found=(-DCMAKE_PREFIX_PATH="$prefix")
    fails "split_stack can't be used here: it needs g\+\+, and this project is compiled by Clang" \
        configures "$here/components" "${found[@]}" "-DWANTED=COMPONENTS;split_stack"
    says "there is weft::weft -- split_stack: FALSE" \
        "$(configures "$here/components" "${found[@]}" -DWANTED="$version" 2>&1)"
    configures "$source/tests/consumer" "${found[@]}"
    runs cmake --build tree --config "$config"
    runs tree/consumer
    [[ ! -e tree/consumer_split ]]
}

# Boost as it is since 1.87: the shared library hides jump_fcontext.
case_hidden_boost() {
    local archive
    archive=$("$cxx" -print-file-name=libboost_context.a)
    if [[ "$archive" == libboost_context.a ]]; then skip "Boost.Context has no static library here"; fi
    local boost=$own/boost
    mkdir -p "$boost/lib/cmake/Boost-1.92.0"
    cp "$archive" "$boost/lib/libboost_context.a"
    printf '.globl jump_fcontext\n.hidden jump_fcontext\njump_fcontext: ret\n.section .note.GNU-stack,"",@progbits\n' >hidden.S
    runs "$cxx" -shared hidden.S -o "$boost/lib/libboost_context.so"
    cp "$here/hidden_boost/"*.cmake "$boost/lib/cmake/Boost-1.92.0/"
    local options=(-DBoost_DIR="$boost/lib/cmake/Boost-1.92.0" -DCMAKE_PREFIX_PATH="$prefix")
    local weft=("${options[@]}" "${bare[@]}" -DWEFT_MIMALLOC="$mimalloc" -DWEFT_CAPSTONE_LIBRARY=
        -DCMAKE_INSTALL_LIBDIR="$libdir")
    tree=weft_tree
    says "Boost.Context 1.92.0 hides jump_fcontext, so its static one is linked: $boost/lib/libboost_context.a" \
        "$(configures "$source" "${weft[@]}" 2>&1)"

    # The library is the same whatever Boost it meets, so that of this build will do; what is installed with it is not.
    tree=tree
    cp "$prefix/$libdir/libweft.a" weft_tree/
    runs cmake --install weft_tree --config "$config" --prefix "$own/installed"
    options[1]=-DCMAKE_PREFIX_PATH="$own/installed"
    configures "$source/tests/consumer" "${options[@]}"
    runs cmake --build tree --config "$config"
    runs tree/consumer
    if ldd tree/consumer | grep boost; then
        echo "it is linked with the shared library"
        exit 1
    fi
    # A project that has found Boost for itself has the shared one.
    says "there is weft::weft" "$(configures "$here/components" "${options[@]}" -DWANTED="$version" 2>&1)"
    need pkg-config
    pkg_config "$own/installed" --cflags --libs weft
    runs "$cxx" -std=c++20 "$hello" "${said[@]}" -o by_pkg_config
    runs ./by_pkg_config

    rm "$boost/lib/libboost_context.a"
    fails "jump_fcontext does not resolve.*hidden that name since 1.87.*no libboost_context.a.*Debian: libboost-context-dev.*-DBoost_ROOT=<prefix>" \
        configures "$source" "${weft[@]}"
    fails "there is no libboost_context.a beside Boost's library" \
        configures "$source/tests/consumer" "${options[@]}"
}

case_no_exceptions() {
    local one
    for one in "$cxx" clang++; do
        if ! command -v "$one" >/dev/null; then continue; fi
        fails 'version.hpp:[0-9:]* error: .?(#error )?"weft needs exceptions, because [a-z ]*: compile without -fno-exceptions"' \
            "$one" -std=c++20 -fno-exceptions -fsyntax-only -I"$source/include" "$hello" -fmax-errors=1
        runs "$one" -std=c++20 -fsyntax-only -I"$source/include" "$hello"
    done
}

case_shared_libs_option() {
    says "BUILD_SHARED_LIBS ON, weft::weft is a STATIC_LIBRARY" \
        "$(configures "$here/subproject" -DWEFT_SOURCE_DIR="$source" 2>&1)"
}

case_missing() {
    local none=() package
    for package in Boost mimalloc GTest benchmark; do none+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON"); done
    fails "missing on this machine: .*Boost.Context .*libboost-context-dev.*mimalloc.*libmimalloc-dev.*-DWEFT_MIMALLOC=OFF.*\
GoogleTest.*libgtest-dev.*-DWEFT_BUILD_TESTS=OFF.*Benchmark.*libbenchmark-dev.*-DWEFT_BUILD_BENCH=OFF.*\
apt-get install libboost-context-dev libmimalloc-dev libgtest-dev libbenchmark-dev" \
        configures "$source" -DWEFT_MIMALLOC=ON "${none[@]}"
    # What is switched off is not asked for.
    local output
    output=$(configures "$source" "${bare[@]}" -DWEFT_MIMALLOC=OFF "${none[@]}" 2>&1) && exit 1
    says "apt-get install libboost-context-dev Then" "$output"
}

case_unfit() {
    local project=("$here/refused" -DWEFT_SOURCE_DIR="$source")
    fails "The compiler is GNU 10.2.1 .*weft needs g\+\+ 11 or later" \
        configures "${project[@]}" "-DSET=CMAKE_CXX_COMPILER_ID;GNU;CMAKE_CXX_COMPILER_VERSION;10.2.1"
    fails "The compiler is Clang 13.0.1 .*weft needs clang 14 or later" \
        configures "${project[@]}" "-DSET=CMAKE_CXX_COMPILER_ID;Clang;CMAKE_CXX_COMPILER_VERSION;13.0.1"
    fails "The system is FreeBSD: weft runs on Linux only.*The target is aarch64 with 64-bit pointers: .*x86-64 only" \
        configures "${project[@]}" "-DSET=CMAKE_SYSTEM_NAME;FreeBSD;CMAKE_SYSTEM_PROCESSOR;aarch64"
    fails "The target is x86_64 with 32-bit pointers: .*without -m32" configures "${project[@]}" "-DSET=CMAKE_SIZEOF_VOID_P;4"
}

if ! declare -F "case_$name" >/dev/null; then
    echo "no such case: $name"
    exit 2
fi
"case_$name"
echo "linking.$name: ok"
