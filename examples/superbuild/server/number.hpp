// A number as somebody wrote it.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace jobserver {

/// Nothing when it is no decimal number from `least` to `most`.
inline std::optional<long long> number(std::string_view text, long long least, long long most) {
    long long value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < least || value > most) return std::nullopt;
    return value;
}

}  // namespace jobserver
