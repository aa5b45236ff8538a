#include "base/print.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <unistd.h>

namespace weft::detail {
namespace {

template <class Number>
std::string_view digits(Number value, std::array<char, 24>& into) noexcept {
    const auto end = std::to_chars(into.data(), into.data() + into.size(), value).ptr;
    return {into.data(), static_cast<std::size_t>(end - into.data())};
}

// errno is read and written in functions of their own: no caller of printer may end up with two uses
// of its address around a switch.
[[gnu::noinline]] int saved_errno() noexcept { return errno; }
[[gnu::noinline]] void restore_errno(int value) noexcept { errno = value; }

}  // namespace

printer& printer::operator<<(std::string_view text) noexcept {
    const std::size_t count = std::min(text.size(), text_.size() - size_);
    if (count == 0) return *this;  // memcpy takes no null, which an empty view may hold.
    std::memcpy(text_.data() + size_, text.data(), count);
    size_ += count;
    return *this;
}

printer& printer::operator<<(std::uint64_t value) noexcept {
    std::array<char, 24> buffer;
    return *this << digits(value, buffer);
}

printer& printer::operator<<(std::int64_t value) noexcept {
    std::array<char, 24> buffer;
    return *this << digits(value, buffer);
}

printer& printer::bytes(std::uint64_t count) noexcept {
    constexpr std::uint64_t kib = 1024;
    if (count >= kib * kib && count % (kib * kib) == 0)
        return *this << count / (kib * kib) << " MiB";
    if (count >= kib && count % kib == 0) return *this << count / kib << " KiB";
    return *this << count << " B";
}

printer& printer::hex(std::uint64_t value) noexcept {
    std::array<char, 24> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, 16).ptr;
    return *this << "0x" << std::string_view(buffer.data(), end);
}

void printer::flush() noexcept {
    write_to_stderr(view());
    size_ = 0;
}

void write_to_stderr(std::string_view text) noexcept {
    const int kept = saved_errno();
    while (!text.empty()) {
        const auto written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written <= 0) break;  // Nothing is left to report the failure to.
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    restore_errno(kept);
}

}  // namespace weft::detail
