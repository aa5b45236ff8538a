// Which file of the program an address belongs to.
#pragma once

#include <cstdint>

namespace weft::detail {

struct module_place {
    const char* file = nullptr;  // The program or shared library; null when unknown.
    std::uintptr_t address = 0;  // As in that file: what addr2line wants.
    const char* symbol =
        nullptr;  // The exported function it is in, mangled; null when there is none.
    std::uintptr_t symbol_start = 0;  // Its address in memory.
};

/// Takes the loader's lock.
[[nodiscard]] module_place find_module(std::uintptr_t address) noexcept;

}  // namespace weft::detail
