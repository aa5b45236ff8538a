// Where objects lie in a slab: 64 KiB, aligned,   [ header | T T T T ... ]   and nothing else of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr std::size_t pool_slab_size = std::size_t{64} * 1024;

template <class T, class Header>
struct slab_layout {
    static constexpr std::size_t unit = alignof(T) > 64 ? alignof(T) : 64;
    static constexpr std::size_t first_offset = (sizeof(Header) + unit - 1) / unit * unit;
    static constexpr std::size_t count = (pool_slab_size - first_offset) / sizeof(T);

    static T* at(Header& slab, std::size_t i) noexcept {
        auto* const first = reinterpret_cast<std::byte*>(&slab) + first_offset;
        return reinterpret_cast<T*>(first + i * sizeof(T));
    }
    static Header& slab_of(T& object) noexcept {
        return *reinterpret_cast<Header*>(reinterpret_cast<std::uintptr_t>(&object) &
                                          ~(pool_slab_size - 1));
    }
};

}  // namespace weft::detail
