# A Boost of which only Boost.Context is there, as Boost's own package file tells it. The test makes the libraries.
set(Boost_VERSION 1.92.0)
set(Boost_VERSION_STRING 1.92.0)
set(Boost_INCLUDE_DIRS /usr/include)
cmake_path(SET Boost_LIBRARY_DIRS NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../..")
cmake_path(GET Boost_LIBRARY_DIRS PARENT_PATH parent)
set(Boost_FOUND TRUE)
set(boost_context_FOUND TRUE)
set(Boost_context_FOUND TRUE)
set(Boost_CONTEXT_FOUND TRUE)
if(NOT TARGET Boost::context)
  add_library(Boost::headers INTERFACE IMPORTED)
  add_library(Boost::context SHARED IMPORTED)
  set_target_properties(Boost::context PROPERTIES
    IMPORTED_CONFIGURATIONS RELEASE
    IMPORTED_LOCATION_RELEASE "${CMAKE_CURRENT_LIST_DIR}/../../libboost_context.so"
    INTERFACE_LINK_LIBRARIES Boost::headers)
endif()
