// Waiting for what only a thread can wait for.
#include <weft/go.hpp>

#include <functional>
#include <utility>

namespace weft::detail {

void await_elsewhere(std::function<void()> wait) {
    join_handle<void> waiter =
        spawn({.name = "weft.await"}, [wait = std::move(wait)] { blocking(wait); });
    try {
        waiter.join();
    } catch (...) {
        waiter.detach();  // Cancelled. The thread waits on; the future is shared with it.
        throw;
    }
}

}  // namespace weft::detail
