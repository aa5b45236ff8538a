// Coroutines that others want this processor to run: hinted ones, and those that cut in.
//
// A Treiber stack that is only ever emptied as a whole, by exchange(nullptr), so there is no ABA and any
// thread may be the taker. Edge *deliver*: push is a release, the exchange an acquire.
#pragma once

#include "base/tsan.hpp"
#include "sched/coroutine.hpp"

#include <atomic>
#include <cstddef>

namespace weft::detail {

class inbox {
public:
    /// Any thread.
    void push(coroutine& c) noexcept {
        take_over(&c);
        length_.fetch_add(1, std::memory_order_relaxed);
        coroutine* top = top_.load(std::memory_order_relaxed);
        do {
            c.link = top;
        } while (!top_.compare_exchange_weak(top, &c, std::memory_order_release,  // deliver
                                             std::memory_order_relaxed));
    }

    /// Everything there is, linked, oldest first. Any thread.
    [[nodiscard]] coroutine* take_all() noexcept {
        if (empty()) return nullptr;
        coroutine* newest = top_.exchange(nullptr, std::memory_order_acquire);  // deliver
        length_.store(0, std::memory_order_relaxed);
        coroutine* oldest = nullptr;
        while (newest != nullptr) {
            coroutine* const older = newest->link;
            newest->link = oldest;
            oldest = newest;
            newest = older;
        }
        return oldest;
    }

    [[nodiscard]] bool empty() const noexcept {
        return top_.load(std::memory_order_relaxed) == nullptr;
    }

    /// About how many there are: those pushed while it is emptied may go uncounted.
    [[nodiscard]] std::size_t length() const noexcept {
        return length_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<coroutine*> top_{nullptr};
    std::atomic<std::size_t> length_{0};
};

}  // namespace weft::detail
