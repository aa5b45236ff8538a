# find_package(weft) and pkg-config support: headers, the library, and files that say what it needs.
include(CMakePackageConfigHelpers)

set(WEFT_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(TARGETS weft EXPORT weft-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(weft_has_split_stack)
  # Objects, not archives: all of them is needed, and before what the compiler would link itself.
  install(TARGETS weft_split_stack weft_split_stack_module EXPORT weft-split-targets)
  install(FILES ${weft_split_object} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES $<TARGET_OBJECTS:weft_split_module> DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RENAME weft_split_module.o)
  install(TARGETS weft-verify-split DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(EXPORT weft-split-targets NAMESPACE weft:: DESTINATION ${WEFT_PACKAGE_DIR})
endif()
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION ${WEFT_PACKAGE_DIR})

configure_package_config_file(cmake/weft-config.cmake.in weft-config.cmake
  INSTALL_DESTINATION ${WEFT_PACKAGE_DIR})
# What a minor before 1.0 and a major after it may break.
set(compatible SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatible SameMinorVersion)
endif()
write_basic_package_version_file(weft-config-version.cmake COMPATIBILITY ${compatible})
install(FILES
  ${PROJECT_BINARY_DIR}/weft-config.cmake
  ${PROJECT_BINARY_DIR}/weft-config-version.cmake
  DESTINATION ${WEFT_PACKAGE_DIR})
install(FILES cmake/static_boost.cmake RENAME weft-static-boost.cmake
  DESTINATION ${WEFT_PACKAGE_DIR})

# The prefix is told from where the file lies, so an installed tree may be moved.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH pc_prefix /${pc_dir} /)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
cmake_path(APPEND pc_libdir "\${prefix}" ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND pc_includedir "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
set(pc_libs -lboost_context)
if(weft_static_boost_file)
  cmake_path(GET weft_static_boost_file PARENT_PATH folder)
  cmake_path(GET weft_static_boost_file FILENAME name)
  set(pc_libs -l:${name})
  if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    string(PREPEND pc_libs "-L${folder} ")
  endif()
endif()
if(WEFT_MIMALLOC)
  string(APPEND pc_libs " -lmimalloc")
endif()
if(weft_backtrace_library)
  string(APPEND pc_libs " -lbacktrace")
endif()
if(WEFT_SANITIZE)
  string(APPEND pc_libs " -fsanitize=${WEFT_SANITIZE}")
endif()
set(pc_name weft)
set(pc_description "${PROJECT_DESCRIPTION}")
set(pc_cflags "")
set(pc_first "-L\${libdir} -lweft")
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${pc_dir})
if(weft_has_split_stack)
  set(pc_name weft-split-stack)
  string(APPEND pc_description ", for code with split stacks")
  list(JOIN weft_split_flags " " pc_cflags)
  set(pc_cflags " -DWEFT_SPLIT_STACK=1 ${pc_cflags}")
  list(JOIN weft_split_link_flags " " pc_first)
  string(REPLACE "LINKER:" "-Wl," pc_first "${pc_first}")
  set(pc_first "\${libdir}/weft_split.o -wrapper \${prefix}/${CMAKE_INSTALL_BINDIR}/weft-verify-split,--linking ${pc_first}")
  configure_file(cmake/weft.pc.in weft-split-stack.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/weft-split-stack.pc DESTINATION ${pc_dir})
endif()

# For gdb, which no part of the library needs.
install(FILES tools/gdb/weft-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Last, because it lists what was installed.
include(cmake/sbom.cmake)
