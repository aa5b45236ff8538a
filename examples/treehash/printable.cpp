#include "printable.hpp"

#include <cstddef>

namespace treehash {

namespace {

// How many bytes the character at the front of `text` takes; 0 when it is not one in UTF-8: cut short,
// longer than it need be, a surrogate, or past the last code point.
std::size_t character_size(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;

    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    for (std::size_t i = 1; i != size; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;

    const unsigned char second = byte(1);
    if (first == 0xe0 && second < 0xa0) return 0;
    if (first == 0xed && second > 0x9f) return 0;
    if (first == 0xf0 && second < 0x90) return 0;
    if (first == 0xf4 && second > 0x8f) return 0;
    return size;
}

bool is_control(std::string_view character) noexcept {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    const auto second = static_cast<unsigned char>(character[1]);
    return first == 0xc2 && second < 0xa0;  // U+0080 to U+009F, which some terminals obey.
}

void append_escape(std::string& out, char c) {
    static constexpr char digits[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
    case '\\':
        out += "\\\\";
        return;
    case '\n':
        out += "\\n";
        return;
    case '\r':
        out += "\\r";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        return;
    }
}

}  // namespace

std::string printable(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    while (!name.empty()) {
        const std::size_t size = character_size(name);
        const std::string_view character = name.substr(0, size == 0 ? 1 : size);
        if (size == 0 || character == "\\" || is_control(character))
            for (const char c : character) append_escape(out, c);
        else
            out += character;
        name.remove_prefix(character.size());
    }
    return out;
}

}  // namespace treehash
