#include "hash.hpp"

#include <new>

namespace treehash {

std::string to_hex(const digest& d) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const unsigned char byte : d.bytes) {
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

hasher::hasher() : state_(XXH3_createState()) {
    if (!state_) throw std::bad_alloc();
    restart();
}

void hasher::restart() noexcept { XXH3_128bits_reset(state_.get()); }

void hasher::add(std::span<const std::byte> bytes) noexcept {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

void hasher::add(std::string_view text) noexcept {
    add(std::as_bytes(std::span(text.data(), text.size())));
}

void hasher::add(std::uint64_t number) noexcept {
    std::array<std::byte, 8> bytes;
    for (std::byte& b : bytes) {
        b = static_cast<std::byte>(number & 0xff);
        number >>= 8;
    }
    add(std::span<const std::byte>(bytes));
}

void hasher::add(const digest& d) noexcept { add(std::as_bytes(std::span(d.bytes))); }

digest hasher::result() const noexcept {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    digest d;
    static_assert(sizeof(canonical.digest) == sizeof(d.bytes));
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), d.bytes.begin());
    return d;
}

}  // namespace treehash
