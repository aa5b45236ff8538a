# What libweft's objects are compiled with so that every kind of program can link them.
#
# Position-independent, so that a plug-in or an extension of Python can link weft::weft. In an executable the linker
# turns what is looked up in tables back into plain addresses. Thread-local variables are reached without a call: a
# switch of stacks may lie between two uses, and calls are slow. That needs room in the block which the C library keeps
# for objects that are opened later; weft takes some 150 bytes of its 1664.
if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
  set_target_properties(weft PROPERTIES POSITION_INDEPENDENT_CODE ON)
endif()
target_compile_options(weft PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-ftls-model=initial-exec>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-semantic-interposition>
  # A section for each function, so that `-Wl,--gc-sections` drops those that a program never calls.
  $<$<COMPILE_LANGUAGE:CXX>:-ffunction-sections;-fdata-sections>)

# A shared object that links weft has a runtime of its own. None of it is exported, because another copy in the process
# would otherwise take over part of it, and it is never unloaded, because threads may still run in it.
set(weft_in_shared_object
  $<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY;MODULE_LIBRARY>)
target_link_options(weft INTERFACE
  $<${weft_in_shared_object}:LINKER:--exclude-libs,libweft.a>
  $<${weft_in_shared_object}:LINKER:-z,nodelete>)

# Defined for this file alone, so that a compiler cache serves all others whatever is chosen.
set(weft_off_heap ${PROJECT_SOURCE_DIR}/src/base/off_heap.cpp)
set_property(SOURCE ${weft_off_heap} TARGET_DIRECTORY weft APPEND PROPERTY
  COMPILE_DEFINITIONS WEFT_MIMALLOC=$<BOOL:${WEFT_MIMALLOC}>)
if(weft_has_split_stack)
  set_property(SOURCE ${weft_off_heap} TARGET_DIRECTORY weft_split_parts APPEND PROPERTY
    COMPILE_DEFINITIONS WEFT_MIMALLOC=$<BOOL:${WEFT_MIMALLOC}>)
  target_include_directories(weft_split_module PRIVATE ${PROJECT_SOURCE_DIR}/include)  # The version, for module.S.
endif()
