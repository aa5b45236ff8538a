# A project above this one builds all of its parts by default. What is for split stacks costs as much as the library, so
# it is built only for a target that links weft::split_stack.
if(weft_has_split_stack)
  set_target_properties(
    weft_split_parts weft_split_module weft-make-split-runtime weft-verify-split
    PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
