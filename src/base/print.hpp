// Formatting without allocation or locks, for failing checks, signal handlers and reports.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

/// Writes all of it to stderr, past stdio, whose locks somebody may hold. Safe in signal handlers.
void write_to_stderr(std::string_view text) noexcept;

/// Collects one message in a fixed buffer and writes it to stderr as a whole, so that messages of
/// several threads do not mix within a line. What does not fit is cut. Safe in signal handlers; about
/// 1 KiB of stack.
class printer {
public:
    printer() = default;
    printer(const printer&) = delete;
    printer& operator=(const printer&) = delete;

    printer& operator<<(std::string_view text) noexcept;
    printer& operator<<(std::uint64_t value) noexcept;
    printer& operator<<(std::int64_t value) noexcept;
    printer& operator<<(std::uint32_t value) noexcept { return *this << std::uint64_t{value}; }
    printer& operator<<(int value) noexcept { return *this << std::int64_t{value}; }
    printer& operator<<(char) = delete;

    /// A size as people write it: 256 KiB, 8 MiB, 1000 B.
    printer& bytes(std::uint64_t count) noexcept;

    /// 0x1f80
    printer& hex(std::uint64_t value) noexcept;

    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

    /// Writes what was collected to stderr and starts afresh. errno is kept.
    void flush() noexcept;

private:
    std::array<char, 1000> text_;
    std::size_t size_ = 0;
};

}  // namespace weft::detail
