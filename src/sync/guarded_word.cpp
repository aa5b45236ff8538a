#include <weft/detail/guarded_word.hpp>

#include "base/backoff.hpp"

namespace weft::detail {

guarded_word::value guarded_word::enter() noexcept {
    backoff wait;
    value seen = word_.load(std::memory_order_relaxed);
    for (;;) {
        if ((seen & guard) != 0) {
            wait.pause();
            seen = word_.load(std::memory_order_relaxed);
        } else if (word_.compare_exchange_weak(seen, seen | guard, std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
            return seen;
        }
    }
}

}  // namespace weft::detail
