# Where weft runs and what compiles it. Said before anything is looked for, because on another machine the first error
# would be about assembly or about a C++20 feature.
set(weft_unfit "")
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  string(APPEND weft_unfit "\n  * The system is ${CMAKE_SYSTEM_NAME}: weft runs on Linux only, so build in a Linux machine or container.")
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  math(EXPR bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  string(APPEND weft_unfit "\n  * The target is ${CMAKE_SYSTEM_PROCESSOR} with ${bits}-bit pointers: weft's switch of stacks is "
    "written for x86-64 only, so build for x86-64 without -m32 and -mx32. docs/internals/porting.md says what another "
    "processor needs.")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(weft_least_compiler 11)
  set(weft_least_compiler_name "g++ 11")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(weft_least_compiler 14)
  set(weft_least_compiler_name "clang 14")
else()
  set(weft_least_compiler 0)
  message(WARNING "weft: ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} has not been tried: weft is tested with "
    "g++ and clang.")
endif()
if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS weft_least_compiler)
  string(APPEND weft_unfit "\n  * The compiler is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} (${CMAKE_CXX_COMPILER}): weft needs "
    "${weft_least_compiler_name} or later, so install it and configure an empty build folder with -DCMAKE_CXX_COMPILER=<path>.")
endif()
if(weft_unfit)
  message(FATAL_ERROR "weft: can't be built here.${weft_unfit}\n")
endif()
