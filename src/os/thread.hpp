// OS threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <system_error>

namespace weft::detail {

using thread_handle = pthread_t;

/// Starts a joinable thread that blocks every signal meant for the program, so that those are delivered
/// to the program's own threads.
[[nodiscard]] std::error_code start_thread(thread_handle& handle, void* (*body)(void*),
                                           void* argument);
void join_thread(thread_handle handle) noexcept;

/// At most 15 bytes.
void name_this_thread(const char* name) noexcept;

/// Sleeps end when they should instead of up to 50 us later. Returns the slack there was, to restore.
std::uint64_t set_timer_slack(std::uint64_t ns) noexcept;

/// The CPUs that a thread may use.
class cpu_mask {
public:
    /// Those of the calling thread.
    [[nodiscard]] static cpu_mask of_this_thread() noexcept;

    /// Binds the calling thread to the `index`-th of them, modulo their number.
    void pin_this_thread(unsigned index) const noexcept;
    /// Lets the calling thread use all of them again.
    void apply_to_this_thread() const noexcept;

private:
    std::array<unsigned long, 16> bits_{};  // A cpu_set_t.
};

/// How many threads the process has; 0 when that can't be read.
[[nodiscard]] unsigned count_threads() noexcept;

struct stack_bounds {
    const void* bottom;
    std::size_t size;
};
[[nodiscard]] stack_bounds this_thread_stack() noexcept;

}  // namespace weft::detail
