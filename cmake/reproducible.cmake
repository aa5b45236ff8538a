# The same sources give the same bytes, whatever the folder and the day.
#
# weft_path_map holds the compile options that take this machine's paths out of objects. A debug build
# keeps them in its debug information, where a debugger looks for the sources, and loses them only in
# __FILE__, so that a failed check prints `src/sched/park.cpp:10` in every build.
set(weft_path_map
  $<IF:$<CONFIG:Debug>,-fmacro-prefix-map,-ffile-prefix-map>=${PROJECT_SOURCE_DIR}/=)
cmake_path(IS_PREFIX PROJECT_SOURCE_DIR ${CMAKE_BINARY_DIR} build_is_inside)
if(NOT build_is_inside)
  list(APPEND weft_path_map $<$<NOT:$<CONFIG:Debug>>:-ffile-prefix-map=${CMAKE_BINARY_DIR}=build>)
endif()
# A compiler cache that shares objects between folders (CCACHE_BASEDIR) hands the compiler the same paths as seen from the
# build folder, and those begin otherwise.
cmake_path(RELATIVE_PATH PROJECT_SOURCE_DIR BASE_DIRECTORY ${CMAKE_BINARY_DIR} OUTPUT_VARIABLE source_from_build)
string(REGEX REPLACE "/$" "" source_from_build "${source_from_build}")
if(NOT source_from_build STREQUAL ".")
  list(APPEND weft_path_map $<IF:$<CONFIG:Debug>,-fmacro-prefix-map,-ffile-prefix-map>=${source_from_build}/=)
endif()

# Archives without dates and owners. Debian's ar does so by default, others when they are told.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  foreach(language IN ITEMS CXX ASM)
    set(CMAKE_${language}_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_APPEND "<CMAKE_AR> qD <TARGET> <LINK_FLAGS> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
  endforeach()
endif()
