// What the kernel says of another thread of this process: does it run, does it wait, how much has it run?
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weft::detail {

/// The kernel's number of the calling thread.
[[nodiscard]] int this_thread_id() noexcept;

enum class thread_state : unsigned char {
    unknown,   // It can't be read here.
    running,   // On a CPU, or waiting for one.
    sleeping,  // In the kernel, until something happens.
    other,     // Stopped, traced, ending.
};

/// Looks at one thread. The file behind it is opened at the first look and stays open: a look is one read, about
/// 3 us. Not for several threads at once.
class thread_probe {
public:
    thread_probe() = default;
    thread_probe(const thread_probe&) = delete;
    thread_probe& operator=(const thread_probe&) = delete;
    ~thread_probe() { close(); }

    [[nodiscard]] thread_state state(int thread_id) noexcept;

    /// CPU time that it has had; -1 when that can't be read. No file.
    [[nodiscard]] static std::int64_t cpu_ns(int thread_id) noexcept;

    /// Where in the kernel it waits, as the kernel names it, put into `buffer`; empty when that can't be read.
    [[nodiscard]] static std::string_view wait_channel(int thread_id,
                                                       std::span<char> buffer) noexcept;

    /// Where it has left the program for the kernel, if it waits there now; all 0 if it does not, or that can't be read.
    struct place {
        std::uintptr_t pc = 0;
        std::uintptr_t sp = 0;
        std::uintptr_t futex =
            0;  // The word that it waits for; 0 when it waits for something else.
        bool operator==(const place&) const = default;
    };
    [[nodiscard]] static place waits_at(int thread_id) noexcept;

    void close() noexcept;

private:
    int thread_id_ = 0;
    int file_ = -1;
};

}  // namespace weft::detail
