#include "os/mapping.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <link.h>
#include <unistd.h>

namespace weft::detail {
namespace {

std::uintptr_t read_hex(std::string_view& text) noexcept {
    std::uintptr_t value = 0;
    while (!text.empty()) {
        const char c = text.front();
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a') + 10;
        } else {
            break;
        }
        value = value * 16 + digit;
        text.remove_prefix(1);
    }
    return value;
}

// Lines of any file that fits line by line; longer lines are cut.
class line_reader {
public:
    explicit line_reader(int fd) noexcept : fd_(fd) {}

    bool next(std::string_view& line) noexcept {
        std::size_t size = 0;
        for (;;) {
            if (at_ == end_) {
                const auto got = ::read(fd_, buffer_.data(), buffer_.size());
                if (got <= 0) break;
                at_ = 0;
                end_ = static_cast<std::size_t>(got);
            }
            const char c = buffer_[at_++];
            if (c == '\n') {
                line = {line_.data(), size};
                return true;
            }
            if (size != line_.size()) line_[size++] = c;
        }
        return false;
    }

private:
    const int fd_;
    std::size_t at_ = 0;
    std::size_t end_ = 0;
    std::array<char, 1024> buffer_;
    std::array<char, 384> line_;
};

// Whether the file that begins here is loaded at the very addresses that are written in it.
bool is_at_fixed_addresses(std::uintptr_t start) noexcept {
    const auto& header = *reinterpret_cast<const ElfW(Ehdr)*>(start);
    return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_EXEC;
}

}  // namespace

bool find_mapping(std::uintptr_t address, mapping& found) noexcept {
    const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    line_reader lines(fd);
    std::uintptr_t file_start = 0;  // Of the file that the last line with offset 0 names.
    bool ok = false;
    // 55d0c4a00000-55d0c4a21000 r-xp 00001000 08:01 1234   /usr/bin/program
    for (std::string_view line; lines.next(line);) {
        const std::uintptr_t start = read_hex(line);
        line.remove_prefix(std::min<std::size_t>(line.size(), 1));
        const std::uintptr_t end = read_hex(line);
        if (line.size() < 6) continue;
        const bool readable = line[1] == 'r';
        line.remove_prefix(6);
        const std::uintptr_t offset = read_hex(line);
        if (offset == 0) file_start = readable ? start : 0;
        if (address < start || address >= end) continue;
        const std::size_t slash = line.find_first_of("/[");
        const std::string_view name =
            slash == std::string_view::npos ? std::string_view("(no file)") : line.substr(slash);
        const std::size_t size = std::min(name.size(), found.file.size() - 1);
        std::memcpy(found.file.data(), name.data(), size);
        found.file[size] = '\0';
        const bool fixed =
            file_start == 0 || name.front() != '/' || is_at_fixed_addresses(file_start);
        found.address = fixed ? address : address - file_start;
        ok = true;
        break;
    }
    ::close(fd);
    return ok;
}

}  // namespace weft::detail
