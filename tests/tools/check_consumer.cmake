# Installs this tree, and builds and runs tests/consumer against it as another project would: by find_package, then by
# pkg-config. Run by ctest. Nothing of this tree's settings is handed on but the compiler and the build type.
# Everything is made in <BUILD>/consumer, and made anew each time. scripts/test-matrix has the other ways to use weft.
cmake_minimum_required(VERSION 3.25)

set(consumer ${SOURCE}/tests/consumer)
set(work ${BUILD}/consumer/install)
set(prefix ${BUILD}/consumer/prefix)
set(settings
  --fresh -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DWEFT_EXPECTED_VERSION=${VERSION})

macro(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endmacro()

file(REMOVE_RECURSE ${prefix})
run(${CMAKE_COMMAND} --build ${BUILD} --target ${INSTALLED})
run(${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${prefix})

run(${CMAKE_COMMAND} -S ${consumer} -B ${work} ${settings} -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${work} --config ${CONFIG})
run(${work}/consumer)
if(EXISTS ${work}/consumer_split)
  run(${work}/consumer_split)
endif()

file(GLOB_RECURSE pc ${prefix}/*/weft.pc)
cmake_path(GET pc PARENT_PATH pc_folder)
find_program(make NAMES make gmake REQUIRED)
file(MAKE_DIRECTORY ${work}/pkg-config)
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder}
  ${make} -B -f ${consumer}/Makefile -C ${work}/pkg-config SOURCE=${consumer} CXX=${COMPILER})
run(${work}/pkg-config/consumer)
if(EXISTS ${pc_folder}/weft-split-stack.pc)
  run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder}
    ${make} -B -f ${consumer}/Makefile -C ${work}/pkg-config SOURCE=${consumer} CXX=${COMPILER} consumer_split)
  run(${work}/pkg-config/consumer_split)
endif()
