#include <weft/detail/spin_lock.hpp>

#include "base/backoff.hpp"

namespace weft::detail {

[[gnu::noinline]] void spin_lock::lock_slow() noexcept {
    backoff wait;
    do {
        do {
            wait.pause();
        } while (locked_.load(std::memory_order_relaxed));
    } while (!try_lock());
}

}  // namespace weft::detail
