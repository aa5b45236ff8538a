# weft::split_stack: for programs, or parts of programs, whose coroutines are to begin with 1 KiB.
#
# Who links it is compiled with the flags below, and gets weft_split.o: all of libweft, compiled with flags of its own
# (src/split/CMakeLists.txt), with stubs in front (tools/split/make_runtime.cpp) and the assembly of src/arch/x86_64 for
# growing, calling and preempting. It takes the place of libweft.a, whose members nobody needs any more.
option(WEFT_SPLIT_STRICT "Fail the build when a function that coroutines wait in has no bound for its stack" OFF)

set(weft_has_split_stack OFF)
string(TOUPPER "CMAKE_CXX_FLAGS_${CMAKE_BUILD_TYPE}" flags_of_build_type)
get_directory_property(options COMPILE_OPTIONS)
get_directory_property(definitions COMPILE_DEFINITIONS)
list(TRANSFORM definitions PREPEND "-D")
set(flags " ${CMAKE_CXX_FLAGS} ${${flags_of_build_type}} ${options} ${definitions} ")
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" OR NOT LINUX)
  set(why "only g++ compiles for them, for x86-64 Linux")
elseif(WEFT_SANITIZE OR flags MATCHES "[ ;\"']-fsanitize=")
  set(why "sanitizers don't know them")
elseif(flags MATCHES "[ ;\"'](-pg|-finstrument-functions)[ ;\"']")
  set(why "${CMAKE_MATCH_1} calls a profiler from each function, which would run on 1 KiB")
elseif(flags MATCHES "[ ;\"'](-fpack-struct|-fshort-enums|-D *_GLIBCXX_DEBUG)[ ;\"'=]")
  set(why "${CMAKE_MATCH_1} changes how classes lie in memory, and their runtime is compiled without")
elseif(NOT WEFT_CAPSTONE_INCLUDE_DIR OR NOT WEFT_CAPSTONE_LIBRARY)
  # Without the verifier nobody would know whether a program is right.
  set(why "Capstone was not found (Debian: libcapstone-dev)")
elseif(CMAKE_INSTALL_PREFIX MATCHES "," OR PROJECT_BINARY_DIR MATCHES ",")
  # g++ -wrapper takes commas for the end of a word.
  set(why "a folder has a comma in its name: ${PROJECT_BINARY_DIR}, or the prefix ${CMAKE_INSTALL_PREFIX}")
else()
  set(weft_has_split_stack ON)
endif()
if(NOT weft_has_split_stack)
  message(STATUS "weft: there is no weft::split_stack: ${why}")
  return()
endif()

# Makes the runtime out of the objects.
add_executable(weft-make-split-runtime
  ${PROJECT_SOURCE_DIR}/tools/split/call_graph.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/elf.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/make_runtime.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/process.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/runtime.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/stack_facts.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/stub_writer.cpp)
weft_target(weft-make-split-runtime PUBLIC_ONLY)

# Examines whatever is linked with weft::split_stack.
add_executable(weft-verify-split
  ${PROJECT_SOURCE_DIR}/tools/split/disassembler.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/elf.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/findings.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/functions.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/linking.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/process.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/rules.cpp
  ${PROJECT_SOURCE_DIR}/tools/split/verify.cpp)
weft_target(weft-verify-split PUBLIC_ONLY)
target_include_directories(weft-verify-split SYSTEM PRIVATE ${WEFT_CAPSTONE_INCLUDE_DIR})
target_link_libraries(weft-verify-split PRIVATE ${WEFT_CAPSTONE_LIBRARY})

add_subdirectory(${PROJECT_SOURCE_DIR}/src/split)

# A build tree of several configurations has one of each.
set(folder ${PROJECT_BINARY_DIR})
get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(multi_config)
  string(APPEND folder "/$<CONFIG>")
endif()
set(weft_split_object ${folder}/weft_split.o)
set(weft_split_foreign ${PROJECT_SOURCE_DIR}/src/arch/x86_64/foreign_calls.txt)
set(weft_split_list ${folder}/weft_split.objects)
file(GENERATE OUTPUT ${weft_split_list} CONTENT "$<JOIN:$<TARGET_OBJECTS:weft_split_parts>,\n>\n")
add_custom_command(OUTPUT ${weft_split_object}
  COMMAND weft-make-split-runtime $<$<BOOL:${WEFT_SPLIT_STRICT}>:--strict> --out ${weft_split_object}
    --objects ${weft_split_list} --foreign ${weft_split_foreign}
    --objcopy ${CMAKE_OBJCOPY} --linker ${CMAKE_LINKER} --compiler ${CMAKE_CXX_COMPILER}
  DEPENDS weft-make-split-runtime ${weft_split_foreign} ${weft_split_list} $<TARGET_OBJECTS:weft_split_parts>
  COMMENT "Making the runtime for split stacks"
  COMMAND_EXPAND_LISTS
  VERBATIM)
set(all "")
if(WEFT_INSTALL)
  set(all ALL)
endif()
add_custom_target(weft_split_runtime ${all} DEPENDS ${weft_split_object})
# Make knows of objects in another folder only by the target that they belong to.
add_dependencies(weft_split_runtime weft_split_parts)

# See docs/design/stacks.md for why each is needed.
set(weft_split_flags
  -fsplit-stack -maccumulate-outgoing-args -fno-plt
  -mindirect-branch=thunk-extern -mindirect-branch-register -mfunction-return=keep
  -ffunction-sections)

set(weft_split_wraps "")
foreach(lock IN ITEMS
    pthread_mutex_lock pthread_mutex_trylock pthread_mutex_timedlock pthread_mutex_clocklock pthread_mutex_unlock
    pthread_rwlock_rdlock pthread_rwlock_tryrdlock pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock
    pthread_rwlock_wrlock pthread_rwlock_trywrlock pthread_rwlock_timedwrlock pthread_rwlock_clockwrlock
    pthread_rwlock_unlock
    pthread_spin_lock pthread_spin_trylock pthread_spin_unlock
    __cxa_guard_acquire __cxa_guard_release __cxa_guard_abort)
  list(APPEND weft_split_wraps LINKER:--wrap=${lock})
endforeach()

add_library(weft_split_stack INTERFACE)
add_library(weft::split_stack ALIAS weft_split_stack)
set_target_properties(weft_split_stack PROPERTIES EXPORT_NAME split_stack)
target_link_libraries(weft_split_stack INTERFACE
  Threads::Threads ${weft_context_target} ${weft_mimalloc_target} ${weft_backtrace_library})
target_compile_options(weft_split_stack INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:${weft_split_flags}>)
set(weft_split_link_flags
  -fsplit-stack LINKER:-z,now
  # Where libweft.a is linked as well, for other parts of the program, nothing of it may be pulled in. Its members
  # have copies of what is in here.
  -lstdc++
  # Locks that a coroutine holds are counted: src/split/locks.cpp.
  ${weft_split_wraps}
  # Libraries call ours too: src/split/signals.cpp.
  LINKER:--export-dynamic-symbol=sigaction,--export-dynamic-symbol=signal,--export-dynamic-symbol=vfork
  LINKER:--export-dynamic-symbol=longjmp,--export-dynamic-symbol=_longjmp
  LINKER:--export-dynamic-symbol=siglongjmp,--export-dynamic-symbol=__longjmp_chk
  # Shared objects with split code find all of the runtime here: weft::split_stack_module.
  LINKER:--export-dynamic-symbol=weft_module_*,--export-dynamic-symbol=weft_thread_block
  LINKER:--export-dynamic-symbol=__x86_indirect_thunk*,--export-dynamic-symbol=__wrap_*
  LINKER:--export-dynamic-symbol=_Z*4weft*)
target_link_options(weft_split_stack INTERFACE
  $<BUILD_INTERFACE:${weft_split_object}>
  $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/weft_split.o>
  ${weft_split_link_flags})
set_property(TARGET weft_split_stack PROPERTY INTERFACE_LINK_DEPENDS
  "$<BUILD_INTERFACE:${weft_split_object};$<TARGET_FILE:weft-verify-split>>"
  $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/weft_split.o>)
add_dependencies(weft_split_stack weft_split_runtime weft-verify-split)

# For shared objects, also those that are opened at run time, with split code of their own; the executable links
# weft::split_stack. Thread-local variables are reached without calls, which would not be seen to.
add_library(weft_split_module OBJECT ${weft_split_module_sources})
target_include_directories(weft_split_module PRIVATE ${PROJECT_SOURCE_DIR}/src)
add_library(weft_split_stack_module INTERFACE)
add_library(weft::split_stack_module ALIAS weft_split_stack_module)
set_target_properties(weft_split_stack_module PROPERTIES EXPORT_NAME split_stack_module)
target_compile_options(weft_split_stack_module INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:${weft_split_flags};-ftls-model=initial-exec>)
target_link_options(weft_split_stack_module INTERFACE
  $<BUILD_INTERFACE:$<TARGET_OBJECTS:weft_split_module>>
  $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/weft_split_module.o>
  LINKER:-z,now ${weft_split_wraps})
add_dependencies(weft_split_stack_module weft_split_module weft-verify-split)

# A program that links weft::weft alone does not wait for any of this. What is installed is built, and what links these.
if(NOT WEFT_INSTALL)
  set_target_properties(weft-make-split-runtime weft-verify-split weft_split_parts weft_split_module PROPERTIES
    EXCLUDE_FROM_ALL ON)
endif()

# What both ask of who links them.
#
# The verifier runs as part of the link: g++ starts the linker by way of it, and there is no program if it is not right.
# So it is with every build system, and no target has to ask for it. A target says in its property WEFT_SPLIT_ALLOW which
# functions are to be let pass: a list of names, as in the symbol table or as c++filt prints them (but without a comma).
set(allow $<TARGET_PROPERTY:WEFT_SPLIT_ALLOW>)
string(CONCAT linking
  $<$<BOOL:${allow}>:$<COMMA>--allow$<COMMA>$<JOIN:${allow},$<COMMA>--allow$<COMMA>>>
  $<COMMA>--linking)
foreach(target IN ITEMS weft_split_stack weft_split_stack_module)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_compile_definitions(${target} INTERFACE WEFT_SPLIT_STACK=1)
  target_link_options(${target} INTERFACE
    "$<BUILD_INTERFACE:SHELL:-wrapper \"$<TARGET_FILE:weft-verify-split>${linking}\">"
    "$<INSTALL_INTERFACE:SHELL:-wrapper \"$<INSTALL_PREFIX>/${CMAKE_INSTALL_BINDIR}/weft-verify-split${linking}\">")
endforeach()
