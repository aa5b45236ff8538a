// once_flag and call_once.
#pragma once

#include <weft/detail/operation.hpp>
#include <weft/sync/mutex.hpp>

#include <atomic>
#include <functional>
#include <utility>

namespace weft {

/// std::once_flag.
class once_flag {
public:
    constexpr once_flag() noexcept = default;
    once_flag(const once_flag&) = delete;
    once_flag& operator=(const once_flag&) = delete;

private:
    template <class F, class... Args>
    friend void call_once(once_flag& flag, F&& f, Args&&... args);

    // A mutex around the call, and a word that says that there is none left to make.
    std::atomic<bool> done_{false};
    detail::mutex_core running_;
};

/// std::call_once: calls f unless an earlier call with this flag has returned; waits while one is running. When that
/// one throws, another one that waits makes its own. Not a cancellation point, but f may be one. std::logic_error
/// when f itself comes here with the same flag.
template <class F, class... Args>
void call_once(once_flag& flag, F&& f, Args&&... args) {
    detail::operation_point();
    // acquire: with it comes what the call did
    if (flag.done_.load(std::memory_order_acquire)) [[likely]]
        return;
    flag.running_.lock_once();
    struct unlocker {
        detail::mutex_core& mutex;
        ~unlocker() { mutex.unlock(); }
    } const at_the_end{flag.running_};
    if (flag.done_.load(std::memory_order_relaxed)) return;
    std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
    flag.done_.store(true, std::memory_order_release);
}

}  // namespace weft
