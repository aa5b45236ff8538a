# What the library itself is built on. weft-config.cmake.in and weft.pc.in say the same to those who link it.
#
# All that is missing is told at once: each with Debian's package for it, and what to do without.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)  # Boost is found by its own package file, not by CMake's module.
endif()
include(${PROJECT_SOURCE_DIR}/cmake/static_boost.cmake)

set(weft_missing "")
macro(weft_is_missing name package otherwise)
  string(APPEND weft_missing "\n  * ${name} (Debian: ${package}), ${otherwise}")
  list(APPEND weft_missing_packages ${package})
endmacro()

find_package(Threads QUIET)
if(NOT Threads_FOUND)
  weft_is_missing("the C library's threads" libc6-dev "which nothing replaces")
endif()

if(WEFT_STATIC)
  set(WEFT_STATIC_BOOST ON)
endif()
if(WEFT_STATIC_BOOST)
  set(Boost_USE_STATIC_LIBS ON)
endif()
find_package(Boost 1.74 QUIET COMPONENTS context)
if(NOT TARGET Boost::context)
  weft_is_missing("Boost.Context 1.74 or later, with headers" libboost-context-dev
    "or -DBoost_ROOT=<prefix> where it is already")
endif()

if(WEFT_MIMALLOC)
  find_package(mimalloc QUIET)
  # The shared library replaces malloc in the whole process; the static one leaves it alone.
  if(TARGET mimalloc-static)
    set(weft_mimalloc_target mimalloc-static)
  elseif(WEFT_STATIC)
    message(STATUS "weft: mimalloc has no static library here, so with WEFT_STATIC the runtime's own memory comes from malloc")
    set(WEFT_MIMALLOC OFF)
  elseif(mimalloc_FOUND)
    set(weft_mimalloc_target mimalloc)
  else()
    weft_is_missing("mimalloc 2, with headers" libmimalloc-dev
      "or -DWEFT_MIMALLOC=OFF, which takes the runtime's own memory from malloc")
  endif()
endif()

if(WEFT_BUILD_TESTS)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    weft_is_missing("GoogleTest" libgtest-dev "or -DWEFT_BUILD_TESTS=OFF")
  endif()
endif()
if(WEFT_BUILD_BENCH)
  find_package(benchmark QUIET)
  if(NOT benchmark_FOUND)
    weft_is_missing("Google Benchmark" libbenchmark-dev "or -DWEFT_BUILD_BENCH=OFF")
  endif()
endif()

if(weft_missing)
  list(JOIN weft_missing_packages " " packages)
  message(FATAL_ERROR "weft: missing on this machine:${weft_missing}\n"
    "On Debian and Ubuntu: apt-get install ${packages}\n"
    "Then configure again; scripts/setup installs all that the tests need too.")
endif()

# Which library of Boost.Context. jump.S calls jump_fcontext by its C name, because the way by Boost's C++ function would
# make each switch slower.
function(weft_has_jump target result)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE EXECUTABLE)
  try_compile(links
    SOURCE_FROM_CONTENT jump.cpp
      "extern \"C\" void jump_fcontext(); void (*volatile jump)() = jump_fcontext; int main() { return jump == nullptr; }\n"
    LINK_LIBRARIES ${target}
    OUTPUT_VARIABLE output
    NO_CACHE)
  set(${result} ${links} PARENT_SCOPE)
  set(weft_jump_output "${output}" PARENT_SCOPE)
endfunction()

set(weft_static_boost_file "")
set(weft_context_target Boost::context)
weft_has_jump(Boost::context weft_boost_links)
if(WEFT_STATIC_BOOST OR NOT weft_boost_links)
  weft_find_static_boost(weft_static_boost_file)
  if(weft_static_boost_file)
    if(NOT weft_boost_links)
      message(STATUS "weft: the shared library of Boost.Context ${Boost_VERSION_STRING} hides jump_fcontext, "
        "so its static one is linked: ${weft_static_boost_file}")
    endif()
    set(weft_context_target weft::static_boost_context)
    weft_has_jump(weft::static_boost_context weft_boost_links)
  elseif(weft_boost_links)
    message(FATAL_ERROR "weft: WEFT_STATIC_BOOST and WEFT_STATIC need libboost_context.a, and there is none beside Boost's "
      "shared library. Install Boost's static libraries (Debian: libboost-context-dev has both), or switch the option off.")
  else()
    message(FATAL_ERROR "weft: no program links with the Boost.Context ${Boost_VERSION_STRING} that was found "
      "(${Boost_DIR}), because jump_fcontext does not resolve. Boost's shared library has hidden that name since 1.87, and "
      "there is no libboost_context.a beside it to use instead. Install Boost's static libraries (Debian: "
      "libboost-context-dev has both), or name another Boost by -DBoost_ROOT=<prefix>. The linker said:\n${weft_jump_output}")
  endif()
endif()
if(NOT weft_boost_links)
  message(FATAL_ERROR "weft: ${weft_static_boost_file} does not define jump_fcontext, or nothing links here at all. "
    "Name another Boost by -DBoost_ROOT=<prefix>. The linker said:\n${weft_jump_output}")
endif()

# Names and lines in dumps of stacks. g++ brings it along, headers and all; without it there are the dynamic linker's
# names, which are those of exported functions.
option(WEFT_BACKTRACE "Look up names and lines with libbacktrace, if the compiler has it" ON)
set(weft_backtrace_library "")
if(WEFT_BACKTRACE)
  include(CheckCXXSourceCompiles)
  include(CMakePushCheckState)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_LIBRARIES backtrace)
  check_cxx_source_compiles("#include <backtrace.h>
    int main() { return backtrace_create_state(nullptr, 1, nullptr, nullptr) == nullptr; }" WEFT_HAS_BACKTRACE)
  cmake_pop_check_state()
  if(WEFT_HAS_BACKTRACE)
    set(weft_backtrace_library backtrace)
  endif()
endif()

# The verifier of programs with split stacks reads their code with Capstone. It has no package file for CMake everywhere.
find_path(WEFT_CAPSTONE_INCLUDE_DIR capstone/capstone.h)
find_library(WEFT_CAPSTONE_LIBRARY capstone)
mark_as_advanced(WEFT_CAPSTONE_INCLUDE_DIR WEFT_CAPSTONE_LIBRARY)
