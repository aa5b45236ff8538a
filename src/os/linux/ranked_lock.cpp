#include "os/ranked_lock.hpp"

#include "base/relaxed.hpp"
#include "base/stack_facts.hpp"
#include "os/clock.hpp"

namespace weft::detail {
namespace {

// The ranks that this thread holds, a bit each. Read and written only between locks, on one thread: a
// lock is never held across a switch.
thread_local constinit relaxed<std::uint32_t> held_ranks{0};

}  // namespace

[[gnu::noinline]] void lock_taken(lock_rank rank) noexcept {
    const std::uint32_t bit = 1u << static_cast<unsigned>(rank);
    WEFT_CHECK(held_ranks < bit && "locks are taken in rising order of rank");
    held_ranks = held_ranks | bit;
}

[[gnu::noinline]] void lock_released(lock_rank rank) noexcept {
    held_ranks = held_ranks & ~(1u << static_cast<unsigned>(rank));
}

[[gnu::noinline]] void ranked_lock::lock_slow() noexcept {
    WEFT_DEEP;
    backoff wait;
    for (int round = 0; round != 6; ++round) {
        wait.pause();
        std::uint32_t free = 0;
        if (word_.load(std::memory_order_relaxed) == 0 &&
            word_.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
            return;
        }
    }
    while (word_.exchange(2, std::memory_order_acquire) != 0) futex_wait(word_, 2, never);
}

}  // namespace weft::detail
