# Builds and runs tests/consumer against this tree, as another project would. Run by ctest.
#   WAY=install        cmake --install to a prefix of its own; then find_package(weft), then pkg-config
#   WAY=subdirectory   add_subdirectory(weft)
# Everything is made in <BUILD>/consumer, and made anew each time.
cmake_minimum_required(VERSION 3.25)

set(consumer ${SOURCE}/tests/consumer)
set(work ${BUILD}/consumer/${WAY})
set(prefix ${BUILD}/consumer/prefix)
set(settings
  --fresh -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${CONFIG} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DWEFT_EXPECTED_VERSION=${VERSION})

macro(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endmacro()

if(WAY STREQUAL "install")
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
else()
  # The library's own settings as in the tree above it, so that the compiler cache has it already.
  run(${CMAKE_COMMAND} -S ${consumer} -B ${work} ${settings}
    -DWEFT_SOURCE_DIR=${SOURCE}
    -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    -DCMAKE_CXX_FLAGS_RELEASE=${FLAGS}
    -DWEFT_WERROR=${WERROR}
    -DWEFT_MIMALLOC=${MIMALLOC}
    -DWEFT_STATIC_BOOST=${STATIC_BOOST})
  run(${CMAKE_COMMAND} --build ${work} --config ${CONFIG} -j 2)
  run(${work}/consumer)
  if(EXISTS ${work}/consumer_split)
    run(${work}/consumer_split)
  endif()
endif()
