# How every target in the tree is compiled. None of it reaches those who link weft::weft.
#   weft_target(<target>)               sees the private headers, as the library and its tests do
#   weft_target(<target> PUBLIC_ONLY)   sees the public ones only, as a user's program does
function(weft_target target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PUBLIC_ONLY" "" "")

  target_compile_features(${target} PRIVATE cxx_std_20)
  # Each file names what is its own in an unnamed namespace, so a parent's CMAKE_UNITY_BUILD is not for these.
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF UNITY_BUILD OFF)
  target_compile_options(${target} PRIVATE
    ${weft_path_map}
    "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wnon-virtual-dtor;-Wold-style-cast;-Wdate-time>"
    $<$<BOOL:${WEFT_WERROR}>:-Werror>)

  if(NOT arg_PUBLIC_ONLY)
    target_compile_definitions(${target} PRIVATE
      WEFT_ASSERTIONS=$<BOOL:${WEFT_ASSERTIONS}>
      WEFT_TINY_LIMITS=$<BOOL:${WEFT_TINY_LIMITS}>
      WEFT_BACKTRACE=$<BOOL:${weft_backtrace_library}>)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  endif()

  if(WEFT_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer
      # g++ loses track of what is initialised in instrumented code, and warns of every fence under
      # TSan: each fence here is an edge with a comment, and TSan builds judge the edges without one.
      "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-tsan>")
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      target_link_options(${target} PRIVATE -fsanitize=${WEFT_SANITIZE})
      target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/tools/sanitizer_defaults.cpp)
    endif()
  endif()
endfunction()
