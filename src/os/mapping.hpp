// Which file an address of code belongs to, without the loader: for signal handlers.
#pragma once

#include <array>
#include <cstdint>

namespace weft::detail {

struct mapping {
    std::array<char, 256> file;  // Its name, or as much of it as fits.
    std::uintptr_t address = 0;  // As in that file: what addr2line wants.
};

/// Reads /proc/self/maps. False: nothing is mapped there, or it can't be read. Allocates nothing and takes no lock.
[[nodiscard]] bool find_mapping(std::uintptr_t address, mapping& found) noexcept;

}  // namespace weft::detail
