# shellcheck shell=bash
# The rows of scripts/test-matrix, which includes this file:
#   row NAME MODE WANT [fails EXPRESSION | says EXPRESSION] [in ROOT] WAY OPTION...
# tests/matrix/way.sh says what WAY and OPTION may be. A row of the mode `quick` is in every run.

lto_everywhere=(-DCMAKE_CXX_FLAGS_RELEASE='-O3 -DNDEBUG -march=native -flto'
    -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_UNITY_BUILD=ON)
hardening='-D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_GLIBCXX_ASSERTIONS'
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'

rows() {
    # README, and what a parent may say. The first also makes the installed copy that consumers below use.
    row readme-install quick "README's commands install it, and CMake finds it" readme-install
    row readme-pkg-config quick "README's command finds it by pkg-config" readme-pkg-config
    row readme-subproject quick "README's subproject, which builds the library alone" readme-subproject
    row parent-lto quick "a subproject; -O3 -march=native -flto, IPO, unity" subproject "${lto_everywhere[@]}"
    row parent-debug quick "a subproject, Debug" subproject --type Debug

    # Build types and compilers.
    local type compiler name
    for type in Release RelWithDebInfo MinSizeRel Debug ''; do
        name=${type:-none}
        row "g++-12-${name,,}" whole "works" library --cxx g++-12 --type "$type"
        for compiler in 14 19; do
            row "clang-$compiler-${name,,}" whole "works, without split stacks" \
                says "there is no weft::split_stack: only g\+\+ compiles for them" \
                library --cxx "clang++-$compiler" --type "$type" --no-split
        done
    done

    # Other compilers and versions of Boost.
    row g++-11 whole "works" library --cxx g++-11
    row g++-11-strict whole "works: every function has its bound" library --cxx g++-11 -DWEFT_SPLIT_STRICT=ON
    row g++-12-strict whole "works: every function has its bound" library --cxx g++-12 -DWEFT_SPLIT_STRICT=ON
    for compiler in g++-13 g++-14; do
        row "debian-13-$compiler" whole "works with Boost 1.83" in trixie library --cxx "$compiler"
        row "debian-13-$compiler-strict" whole "works: every function has its bound" \
            in trixie library --cxx "$compiler" -DWEFT_SPLIT_STRICT=ON
    done
    for compiler in g++-15 g++-16; do
        row "testing-$compiler" whole "works with Boost 1.92" in testing library --cxx "$compiler"
        row "testing-$compiler-strict" whole "works: every function has its bound" \
            in testing library --cxx "$compiler" -DWEFT_SPLIT_STRICT=ON
    done
    row testing-static-boost whole "works with the archive of Boost 1.92" \
        in testing library --cxx g++-16 -DWEFT_STATIC_BOOST=ON
    row tolerance whole "a compiler that misses bounds builds, and says so" \
        says "weft: with this compiler coroutines on split stacks begin with" \
        library --edit 's/^  -O2 /  -Os /'
    row tolerance-strict whole "stops: such a compiler, with WEFT_SPLIT_STRICT" \
        fails "is where coroutines wait, and may need" \
        library --edit 's/^  -O2 /  -Os /' -DWEFT_SPLIT_STRICT=ON

    # Flags and settings of weft's build.
    row flags-O2 whole "works" library --flags -O2
    row flags-O3-environment whole "works; CXXFLAGS in the environment" library --environment CXXFLAGS=-O3\ -g
    row flags-lto whole "works; -flto in CMAKE_CXX_FLAGS" library --flags -flto
    row flags-ipo whole "works; CMAKE_INTERPROCEDURAL_OPTIMIZATION" \
        library -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON
    row flags-unity whole "works; CMAKE_UNITY_BUILD" library -DCMAKE_UNITY_BUILD=ON
    row flags-native whole "works; -march=native" library --flags -march=native
    row flags-fast-math whole "works; -Ofast -funroll-loops -fno-omit-frame-pointer" \
        library --flags '-Ofast -funroll-loops -fno-omit-frame-pointer'
    row flags-hardening whole "works; as distributions harden theirs" library --flags "$hardening"
    row flags-coverage whole "works; --coverage" library --flags --coverage
    row flags-sections whole "works; -ffunction-sections -fdata-sections" \
        library --flags '-ffunction-sections -fdata-sections'
    row flags-pic whole "works; CMAKE_POSITION_INDEPENDENT_CODE" library -DCMAKE_POSITION_INDEPENDENT_CODE=ON
    row flags-visibility whole "works; hidden visibility" library \
        -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DCMAKE_VISIBILITY_INLINES_HIDDEN=ON
    row flags-c++23 whole "works; CMAKE_CXX_STANDARD=23" library -DCMAKE_CXX_STANDARD=23 --also -DCMAKE_CXX_STANDARD=23
    row flags-quotes whole "works; a macro with quotes and a space" library --flags '-DNAME="\"a b\"" -O3'
    row flags-compiler whole "works; CXX='g++-12 -Ofast -funroll-loops'" \
        library --environment 'CXX=g++-12 -Ofast -funroll-loops'
    row flags-parent-options whole "works; add_compile_options in the parent, with generator expressions" \
        subproject --include parent_options.cmake
    row no-mimalloc whole "works; WEFT_MIMALLOC=OFF" library -DWEFT_MIMALLOC=OFF
    row static-boost whole "works; WEFT_STATIC_BOOST" library -DWEFT_STATIC_BOOST=ON
    row makefiles whole "works; Unix Makefiles" library --generator 'Unix Makefiles'
    row multi-config whole "works; Ninja Multi-Config" library --generator 'Ninja Multi-Config'
    row multi-config-debug whole "works; Ninja Multi-Config, the Debug of it" \
        library --generator 'Ninja Multi-Config' --type Debug
    row folder-space whole "works; a space and + in folders" library --folder 'sp ace+x'
    row folder-plus whole "works; ++ in folders" library --folder 'g++14'
    row folder-makefiles whole "works; a space and ++ in folders, Makefiles" \
        library --folder 'sp ace++' --generator 'Unix Makefiles'
    row folder-comma whole "works without split stacks; a comma in folders" \
        says "there is no weft::split_stack: a folder has a comma in its name" library --folder 'a,b' --no-split

    # Flags that split stacks do not bear.
    row asan whole "works without split stacks; -fsanitize=address" \
        says "there is no weft::split_stack: sanitizers" \
        library --flags -fsanitize=address --no-split -DWEFT_MIMALLOC=OFF
    row profile whole "works without split stacks; -pg" \
        says "there is no weft::split_stack: -pg" library --flags -pg --no-split
    row instrument whole "works without split stacks; -finstrument-functions" \
        says "there is no weft::split_stack: -finstrument-functions" \
        library --flags -finstrument-functions --no-split

    row layout whole "works without split stacks; -D_GLIBCXX_DEBUG" \
        says "there is no weft::split_stack: -D_GLIBCXX_DEBUG" library --flags -D_GLIBCXX_DEBUG --no-split

    # Consumers of one installed copy.
    local flag
    for flag in -O0 -O3 -Os -fno-rtti -march=native; do
        row "consumer$flag" whole "works" consumer --flags "$flag"
    done
    row consumer-c++23 whole "works" consumer -DCMAKE_CXX_STANDARD=23
    row consumer-lto whole "works; CMAKE_INTERPROCEDURAL_OPTIMIZATION" consumer -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON
    row consumer-unity whole "works; CMAKE_UNITY_BUILD" consumer -DCMAKE_UNITY_BUILD=ON
    row consumer-no-pie whole "works; -no-pie" consumer --flags '-fno-pie -no-pie'
    row consumer-warnings whole "works; -Werror -Wpedantic and others" consumer --flags "$warnings"
    row consumer-asan whole "works; -fsanitize=address" consumer --flags -fsanitize=address --target consumer
    row consumer-makefiles whole "works; Unix Makefiles" consumer --generator 'Unix Makefiles'
    row consumer-multi-config whole "works; Ninja Multi-Config" consumer --generator 'Ninja Multi-Config'
    row consumer-moved whole "works; the prefix moved to one with a space and +" consumer --folder 'sp ace+x'
    row consumer-g++-11 whole "works" consumer --cxx g++-11
    for compiler in 14 19; do
        row "consumer-clang-$compiler" whole "works, without split stacks" \
            consumer --cxx "clang++-$compiler" --no-split
    done
    local linker
    for linker in gold lld; do
        row "consumer-$linker" whole "works" consumer --flags "-fuse-ld=$linker" --target consumer
        row "consumer-$linker-split" whole "stops: split stacks need GNU ld" \
            fails "split stacks need GNU ld" consumer --flags "-fuse-ld=$linker" --target consumer_split
    done
    row consumer-no-exceptions whole "stops: weft needs exceptions" \
        fails "error: #error .*exceptions" consumer --flags -fno-exceptions --target consumer
    row consumer-component-clang whole "stops: the component is for g++" \
        fails "component split_stack can.t be used here: it needs g\+\+" consumer --cxx clang++-14 --include wants_split_stack.cmake
    row examples whole "the examples and their tests" examples
    row examples-split whole "the same on split stacks" examples -DWEFT_EXAMPLE_LINKS=weft::split_stack
}
