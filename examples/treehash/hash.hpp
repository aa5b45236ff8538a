// Digests of 128 bits, by XXH3: fast enough that reading a file is what takes the time.
//
// Whatever is hashed is hashed as bytes in a fixed order, numbers as eight bytes with the lowest first,
// so that a digest is the same on every machine. XXH3 finds accidents, not forgeries: a tree made by an
// enemy needs a cryptographic hash.
#pragma once

#include <xxhash.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace treehash {

/// In XXH3's canonical form, whose order as bytes is its order as a number.
struct digest {
    std::array<unsigned char, 16> bytes{};

    auto operator<=>(const digest&) const = default;
};

std::string to_hex(const digest& d);

/// Takes in bytes piece by piece; where one piece ends and the next begins makes no difference.
class hasher {
public:
    hasher();

    void restart() noexcept;
    void add(std::span<const std::byte> bytes) noexcept;
    void add(std::string_view text) noexcept;
    void add(std::uint64_t number) noexcept;
    void add(const digest& d) noexcept;

    /// The digest of all that was added since the last restart().
    digest result() const noexcept;

private:
    struct free_state {
        void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, free_state> state_;
};

}  // namespace treehash
