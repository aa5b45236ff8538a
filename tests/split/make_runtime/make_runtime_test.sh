#!/usr/bin/env bash
# Makes runtimes of one small file each, as libweft's are made into one. Run by ctest.
#   make_runtime_test.sh CXX MAKE_RUNTIME OBJCOPY LINKER SOURCE_DIR CASE
# Prints what the tool says, its report, the class of first segment that it chose, and its exit status; what these ought
# to be is in CMakeLists.txt.
set -euo pipefail

cxx=$1 tool=$2 objcopy=$3 linker=$4 root=$5 case=$6
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# object NAME: compiles NAME.cpp as libweft is compiled for this
object() {
    WEFT_OBJCOPY=$objcopy "$root/cmake/weft-keep-call-graph" "$cxx" -std=c++20 -O2 -fPIE -fcallgraph-info=su \
        -DWEFT_STACK_FACTS=1 -I"$root/src" -I"$source" -c "$source/$1.cpp" -o "$1.o"
    echo "$1.o" >>objects
}
cp "$root/src/arch/x86_64/foreign_calls.txt" foreign
with_linker=$linker
# make OPTION...
make() {
    local status=0
    "$tool" "$@" --out made.o --objects objects --foreign foreign --objcopy "$objcopy" --linker "$with_linker" \
        --compiler "$cxx" 2>&1 || status=$?
    if [[ -f made.o.report ]]; then c++filt <made.o.report; fi
    if [[ -f made.o ]]; then
        readelf -sW made.o | awk '$8 ~ /^far[.]/ { print $8 }'
        # The data that the runtime reads it from.
        "$objcopy" -O binary --only-section=.rodata.weft_first_class_min made.o first_class
        echo "first class $(od -An -td4 first_class | tr -d ' ')"
    fi
    echo "exit status $status"
}

case $case in
bounded | explained) object "$case" && make --strict ;;
nobody) object unexplained && make --strict ;;
deep) object deep && object deep_caller && make --strict ;;
unbounded_strict) object unbounded && make --strict ;;
unbounded) object unbounded && make ;;
large_strict) object fits && make --strict ;;
large) object fits && make ;;
inlined_deep) object inlined && make ;;
deep_that_parks) object parking && make ;;
no_graph)
    "$cxx" -std=c++20 -O2 -I"$root/src" -c "$source/bounded.cpp" -o bounded.o
    echo bounded.o >objects
    make
    ;;
no_object) echo absent.o >objects && make ;;
foreign_line) object bounded && echo "nearly memcpy" >>foreign && make ;;
failed_tool) object bounded && with_linker=false && make ;;
*)
    echo "no such case: $case" >&2
    exit 2
    ;;
esac
