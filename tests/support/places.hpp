// Places that differ from thread to thread and from line to line.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace weft::test {

// Compilers take the addresses of a thread's own variables for the same all through a function. A coroutine that
// parks may be on another thread behind that, so these three are asked for from outside.
[[gnu::noinline]] inline int errno_now() noexcept {
    asm volatile("" ::: "memory");
    return errno;
}
[[gnu::noinline]] inline void set_errno(int value) noexcept {
    asm volatile("" ::: "memory");
    errno = value;
}
[[gnu::noinline]] inline std::thread::id this_thread() noexcept {
    asm volatile("" ::: "memory");
    return std::this_thread::get_id();
}

/// Some lines of one source file.
struct line_range {
    std::string_view file;  // Its name, without directories.
    int first;
    int last;

    /// Whether `text` names one of them, as "...file:line".
    [[nodiscard]] bool named_in(const std::string& text) const {
        const std::string start = std::string(file) + ":";
        const std::size_t at = text.find(start);
        if (at == std::string::npos) return false;
        const int line = std::atoi(text.c_str() + at + start.size());
        return line >= first && line <= last;
    }
};

}  // namespace weft::test
