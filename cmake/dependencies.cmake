# What the library itself is built on. weft-config.cmake.in and weft.pc.in say the same to those who link it.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)  # Boost is found by its own package file, not by CMake's module.
endif()

find_package(Threads REQUIRED)

if(WEFT_STATIC_BOOST)
  set(Boost_USE_STATIC_LIBS ON)
endif()
find_package(Boost 1.74 REQUIRED COMPONENTS context)

if(WEFT_MIMALLOC)
  find_package(mimalloc QUIET)
  if(NOT mimalloc_FOUND)
    message(FATAL_ERROR "weft: mimalloc was not found. Install it (Debian: libmimalloc-dev), or configure "
      "with -DWEFT_MIMALLOC=OFF, which takes the runtime's own memory from malloc.")
  endif()
  # The shared library replaces malloc in the whole process; the static one leaves it alone.
  if(TARGET mimalloc-static)
    set(weft_mimalloc_target mimalloc-static)
  else()
    set(weft_mimalloc_target mimalloc)
  endif()
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
