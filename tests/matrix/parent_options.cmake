# What a parent may say of all that it builds, in each of the ways there are. CMake includes this file after the parent's
# project(), by CMAKE_PROJECT_<name>_INCLUDE.
add_compile_options(
  -O3 "$<$<CONFIG:Release>:-funroll-loops>" "$<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer;-Wno-comment>"
  "SHELL:-march=native -mtune=native" "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fstack-protector-all>")
add_compile_definitions(PARENT_WAS_HERE "$<$<CONFIG:Release>:PARENT_IS_RELEASED>" _GLIBCXX_ASSERTIONS)
add_definitions(-DPARENT_QUOTES="a\ b" -D_FORTIFY_SOURCE=2)
include_directories(BEFORE SYSTEM ${CMAKE_CURRENT_BINARY_DIR})
string(APPEND CMAKE_CXX_FLAGS " -D PARENT_SPACE -include cstddef")
set(CMAKE_CXX_EXTENSIONS ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
