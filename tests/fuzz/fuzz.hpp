// What fuzz targets share. Each target is one file, NAME_fuzz.cpp, which gives arbitrary bytes to one parser and checks
// what the parser promises about its result. libFuzzer calls it in trees configured with WEFT_FUZZ; replay.cpp calls it
// with the kept inputs in all trees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weft::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process if a promise is broken, in builds without assertions too. The fuzzer then keeps the input.
inline void promise(bool kept, const char* what) {
    if (kept) return;
    std::fprintf(stderr, "fuzz: broken promise: %s\n", what);
    std::abort();
}

}  // namespace weft::fuzz
