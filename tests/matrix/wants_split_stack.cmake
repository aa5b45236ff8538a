# A project that can't do without split stacks. CMake includes this file after its project().
find_package(weft 0.1 REQUIRED COMPONENTS split_stack)
