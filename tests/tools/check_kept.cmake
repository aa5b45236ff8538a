# Builds the programs kept of a released version in BUILD, by the target TARGET, and runs each of PROGRAMS. All of them
# are built and run whatever became of the others. Run by ctest as `api.consumers.<version>`.
cmake_minimum_required(VERSION 3.25)

# Every program that fails to compile or link is to be seen, not the first alone.
set(keep_going "")
file(STRINGS ${BUILD}/CMakeCache.txt generator REGEX "^CMAKE_GENERATOR:INTERNAL=")
if(generator MATCHES "Ninja")
  set(keep_going -- -k 0)
elseif(generator MATCHES "Makefiles")
  set(keep_going -- -k)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --config ${CONFIG} --target ${TARGET} ${keep_going}
  RESULT_VARIABLE status)
set(failed "")
if(NOT status EQUAL 0)
  list(APPEND failed "${TARGET} (build)")
endif()

foreach(program IN LISTS PROGRAMS)
  if(EXISTS ${program})
    cmake_path(GET program FILENAME name)
    execute_process(COMMAND ${program} RESULT_VARIABLE status TIMEOUT 60)
    if(NOT status EQUAL 0)
      list(APPEND failed "${name} (${status})")
    else()
      message(STATUS "${name}: passed")
    endif()
  endif()
endforeach()
if(failed)
  list(JOIN failed ", " failed)
  message(FATAL_ERROR "programs of a released version no longer build or pass: ${failed}")
endif()
