# The version is written twice, for CMake and for the compiler. Here the two are held against each other.
set(version_header ${PROJECT_SOURCE_DIR}/include/weft/version.hpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${version_header})
file(STRINGS ${version_header} lines REGEX "^#define WEFT_VERSION_(MAJOR|MINOR|PATCH) [0-9]+$")
list(TRANSFORM lines REPLACE "^.* " "")
list(JOIN lines "." header_version)
if(NOT header_version STREQUAL PROJECT_VERSION)
  message(FATAL_ERROR
    "weft: version.hpp says ${header_version}, project(VERSION) says ${PROJECT_VERSION}")
endif()
