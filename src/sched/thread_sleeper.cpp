#include "sched/thread_sleeper.hpp"

#include "os/clock.hpp"
#include "os/futex.hpp"

#include <bit>

namespace weft::detail {
namespace {

// The low half of the word holds the state and the low bits of the epoch: it changes when a wait ends.
std::atomic<std::uint32_t>& low_half(std::atomic<std::uint64_t>& word) noexcept {
    static_assert(std::endian::native == std::endian::little);
    static_assert(sizeof(std::atomic<std::uint64_t>) == 8 &&
                  sizeof(std::atomic<std::uint32_t>) == 4);
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(&word);
}

}  // namespace

wake_reason thread_sleeper::sleep(const ticket& t, std::int64_t deadline_ns) noexcept {
    for (;;) {
        const std::uint64_t word = word_.load(std::memory_order_acquire);  // wake
        const bool claimed = state_of(word) == wake_reason::handing_over;
        if (word != t.word && !claimed) return state_of(word);
        // Who has claimed us is not held up by anybody: no need to look at the deadline meanwhile.
        const std::int64_t until = claimed ? never : deadline_ns;
        if (!futex_wait(low_half(word_), static_cast<std::uint32_t>(word), until) && !claimed &&
            claim(t, wake_reason::timeout)) {
            return wake_reason::timeout;
        }
    }
}

void thread_sleeper::hand_over(const ticket& t) noexcept {
    auto& who = static_cast<thread_sleeper&>(*t.who);
    who.word_.store((t.word & ~reason_mask) | static_cast<std::uint64_t>(wake_reason::signalled),
                    std::memory_order_release);  // wake
    wake(who);
}

void thread_sleeper::wake(sleeper& who) noexcept {
    futex_wake(low_half(static_cast<thread_sleeper&>(who).word_));
}

[[gnu::noinline]] thread_sleeper& this_thread_sleeper() noexcept {
    thread_local constinit thread_sleeper sleeper;
    return sleeper;
}

}  // namespace weft::detail
