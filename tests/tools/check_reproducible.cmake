# Builds TARGETS in BUILD, and then a part of them once more somewhere else, with nothing from a cache: are the bytes
# the same? Run by ctest as `reproducible`, which leaves the hashes in BUILD/reproducible.txt. The rest is scripts/reproduce --twice, by the label `long`.
cmake_minimum_required(VERSION 3.25)

set(tools "")
if("weft-verify-split" IN_LIST TARGETS)
  set(tools weft-make-split-runtime)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --config ${CONFIG} --target ${TARGETS} ${tools}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${REPRODUCE} --twice --quick --tree ${BUILD} --compiler ${COMPILER} -- ${FLAGS}
  OUTPUT_VARIABLE output ECHO_OUTPUT_VARIABLE COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${BUILD}/reproducible.txt "${output}")
