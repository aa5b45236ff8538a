// OS threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <pthread.h>
#include <string_view>
#include <system_error>

namespace weft::detail {

using thread_handle = pthread_t;

/// Which signals a thread blocks. A process that is started on it inherits that, so a thread that runs the program's code
/// blocks what the program does, and no more: else its children would be deaf to SIGTERM.
class signal_mask {
public:
    [[nodiscard]] static signal_mask of_this_thread() noexcept;
    void apply_to_this_thread() const noexcept;

private:
    std::array<unsigned long, 16> bits_{};  // A sigset_t.
};

/// Starts a joinable thread that blocks every signal meant for the program. It stays so if it is only the runtime's.
[[nodiscard]] std::error_code start_thread(thread_handle& handle, void* (*body)(void*),
                                           void* argument);
void join_thread(thread_handle handle) noexcept;
/// Nobody will join it.
void detach_thread(thread_handle handle) noexcept;

/// At most 15 bytes.
/// Safe in signal handlers, as this_thread_id() is.
[[nodiscard]] std::array<char, 16> name_of_this_thread() noexcept;
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

/// Calls each(number, name) for every thread of the process; for none when they can't be listed.
void for_each_thread(const std::function<void(int, std::string_view)>& each) noexcept;

struct stack_bounds {
    const void* bottom;
    std::size_t size;
};
[[nodiscard]] stack_bounds this_thread_stack() noexcept;

}  // namespace weft::detail
