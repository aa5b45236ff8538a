# Holds the tree against the rules that src/README.md draws as a picture. Run by ctest as `layers`.
#   cmake -DROOT=<source dir> -P check_layers.cmake
#
#   down       an include in src points to its own layer or to one below, never sideways
#   public     a public header includes public headers and the standard library, nothing else
#   named      an include in src names its layer: "mem/span.hpp", not "span.hpp"
#   seams      what belongs to one layer stays there: kernel, CPU, Boost, mimalloc, assembly
#   versioned  a public header includes version.hpp, by itself or by way of another: it ties programs to their library
#   listed     every source and every public header is in src/CMakeLists.txt
cmake_minimum_required(VERSION 3.25)

# Bottom first. Folders on one line are siblings: neither may include from the other.
set(layers
  "base"
  "arch os"
  "trace"
  "mem"
  "stack"
  "context"
  "sched"
  "gc"
  "time"
  "sync"
  "io"
  "net"
  "chan"
  "signal"
  "bus"
  "report"
  "runtime"
  "split")

# Which system and library headers are a seam, and the files that may use them: both are expressions.
set(seams
  "^boost/=^src/context/"
  "^mimalloc=^src/base/off_heap"
  "^backtrace[.]h$=^src/report/"
  "^(dlfcn|link|elf)[.]h$=^src/(os|context|split)/"
  "^unwind[.]h$=^src/(arch|stack|split)/"
  "^sanitizer/=^src/(context|stack|base)/"
  "^sys/sdt=^src/trace/"
  "^(sys/socket|sys/un|sys/uio|sys/types|net/|netinet/|arpa/|netdb)=^src/(os|net)/"
  "^sys/=^src/os/"
  "^(linux|asm|mach|libkern)/=^src/os/"
  "^(pthread|sched|ucontext|execinfo)[.]h$=^src/(os|arch|stack|report|split)/"
  "^(immintrin|x86intrin|emmintrin|arm_neon)[.]h$=^src/(arch|gc)/")

set(faults 0)
macro(fault text)
  message(NOTICE "${text}")
  math(EXPR faults "${faults} + 1")
endmacro()

set(rank 0)
foreach(siblings IN LISTS layers)
  string(REPLACE " " ";" siblings "${siblings}")
  foreach(folder IN LISTS siblings)
    set(rank_${folder} ${rank})
  endforeach()
  math(EXPR rank "${rank} + 1")
endforeach()

file(GLOB_RECURSE files RELATIVE ${ROOT}
  ${ROOT}/src/*.hpp ${ROOT}/src/*.h ${ROOT}/src/*.cpp ${ROOT}/src/*.S ${ROOT}/include/*.hpp)
file(READ ${ROOT}/src/CMakeLists.txt list_of_sources)

foreach(file IN LISTS files)
  # `own` is the layer; empty for include/, and for src/*.cpp, which is glue above every layer.
  set(own "")
  set(public FALSE)
  if(file MATCHES "^include/")
    set(public TRUE)
  elseif(file MATCHES "^src/([a-z_]+)/")
    set(own ${CMAKE_MATCH_1})
    if(NOT DEFINED rank_${own})
      fault("${file}: src/${own} is not in the list of layers")
      continue()
    endif()
  endif()

  # listed
  if(public)
    string(FIND "${list_of_sources}" "/${file}" found)
    if(found EQUAL -1)
      fault("${file} is not in the file set of src/CMakeLists.txt, so it would not be installed")
    endif()
  elseif(file MATCHES "[.](cpp|S)$" AND NOT file MATCHES "^src/os/(linux|darwin)/")
    string(REGEX REPLACE "^src/" "" source ${file})
    string(FIND "${list_of_sources}" "${source}" found)
    if(found EQUAL -1)
      fault("${file} is not in src/CMakeLists.txt")
    endif()
  endif()

  # seams: assembly, and conditions on the platform (base lies below arch, and asks the compiler itself)
  if(file MATCHES "[.]S$" AND NOT own STREQUAL "arch")
    fault("${file}: assembly lives in src/arch")
  endif()
  if(NOT public AND NOT own MATCHES "^(arch|os|base)$")
    file(STRINGS ${ROOT}/${file} conditions
      REGEX "^[ \t]*#[ \t]*(el)?if.*(__linux__|__APPLE__|__FreeBSD__|__x86_64__|__aarch64__)")
    foreach(line IN LISTS conditions)
      fault("${file}: '${line}': only src/arch and src/os know the platform")
    endforeach()
  endif()

  set(versioned FALSE)
  file(STRINGS ${ROOT}/${file} includes REGEX "^[ \t]*#[ \t]*include[ \t]*[\"<]")
  foreach(line IN LISTS includes)
    if(NOT line MATCHES "include[ \t]*([\"<])([^\">]+)[\">]")
      continue()
    endif()
    set(quote "${CMAKE_MATCH_1}")
    set(used "${CMAKE_MATCH_2}")
    if(used MATCHES "^weft/")
      if(public)
        set(versioned TRUE)
      endif()
      if(NOT EXISTS ${ROOT}/include/${used})
        fault("${file}: there is no include/${used}")
      endif()
      continue()
    endif()

    # A private header is one that is there: <net/if.h> is the system's.
    if(EXISTS ${ROOT}/src/${used})
      if(public)
        fault("${file}: a public header includes the private \"${used}\"")
      elseif(NOT quote STREQUAL "\"")
        fault("${file}: \"${used}\" is ours, and is included with quotes")
      else()
        string(REGEX MATCH "^[a-z_]+" below ${used})
        if(NOT DEFINED rank_${below})
          fault("${file}: ${line} names no layer")
        elseif(own AND NOT below STREQUAL own AND NOT rank_${below} LESS rank_${own})
          fault("${file}: ${line} does not point down")
        endif()
      endif()
    elseif(quote STREQUAL "\"")
      fault("${file}: ${line} is neither \"layer/file\" nor \"weft/file\"")
    elseif(public AND used MATCHES "^(boost/|mimalloc|sys/|linux/)")
      fault("${file}: ${line} would make every user depend on it")
    else()
      foreach(seam IN LISTS seams)
        string(REGEX MATCH "^(.*)=(.*)$" ignored "${seam}")
        set(header "${CMAKE_MATCH_1}")
        set(home "${CMAKE_MATCH_2}")
        if(used MATCHES "${header}")
          if(NOT file MATCHES "${home}" AND NOT public)
            fault("${file}: ${line} belongs in ${home}")
          endif()
          break()
        endif()
      endforeach()
    endif()
  endforeach()

  # versioned
  if(public AND NOT versioned AND NOT file STREQUAL "include/weft/version.hpp")
    fault("${file}: a public header includes <weft/version.hpp>, or one that does")
  endif()
endforeach()

list(LENGTH files count)
message(NOTICE "layers: ${count} files, ${faults} faults")
if(faults)
  message(FATAL_ERROR "the rules above are broken")
endif()
