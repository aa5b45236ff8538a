# UNTESTED. vcpkg's registry cannot be reached from where weft is tested, so nobody has run vcpkg on this port. The test
# `vcpkg_port` only reads it: the JSON is well-formed, the options exist, the files are there. It is an overlay port, made
# from the checkout that it lies in:
#
#   vcpkg install weft --overlay-ports=<checkout>/packaging/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    mimalloc WEFT_MIMALLOC)

# There are no split stacks without Capstone, and an empty name is not looked for.
if(NOT "split-stack" IN_LIST FEATURES)
  list(APPEND FEATURE_OPTIONS -DWEFT_CAPSTONE_LIBRARY=)
endif()

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${FEATURE_OPTIONS}
    -DWEFT_BUILD_TESTS=OFF
    -DWEFT_BUILD_BENCH=OFF
    -DWEFT_BUILD_EXAMPLES=OFF
    -DWEFT_INSTALL=ON
    -DWEFT_SBOM=OFF)
vcpkg_cmake_install()

# The verifier moves to tools/weft, and the paths to it in weft's package file with it.
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/weft)
vcpkg_fixup_pkgconfig()
if("split-stack" IN_LIST FEATURES)
  vcpkg_copy_tools(TOOL_NAMES weft-verify-split AUTO_CLEAN)
endif()

file(REMOVE_RECURSE
  "${CURRENT_PACKAGES_DIR}/debug/include"
  "${CURRENT_PACKAGES_DIR}/debug/share"
  "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
