// Who waits on an object, in order: the part of it that lies in the object.
#pragma once

#include <weft/version.hpp>

#include <atomic>

namespace weft::detail {

struct waiter;  // src/sync/waiter.hpp

/// First in, first out. One word: a ring of waiters, each of which lies on the stack of who waits. Changed under
/// the object's lock.
class wait_list {
public:
    constexpr wait_list() noexcept = default;
    wait_list(const wait_list&) = delete;
    wait_list& operator=(const wait_list&) = delete;

    /// Also without the lock, for what may be out of date at once.
    [[nodiscard]] bool empty() const noexcept { return first() == nullptr; }
    [[nodiscard]] waiter* first() const noexcept { return first_.load(std::memory_order_relaxed); }

    void push(waiter& w) noexcept;
    /// Ahead of all others: for one that has waited already.
    void push_front(waiter& w) noexcept;
    /// Takes `w` out, wherever it is; false when it is in no list.
    bool remove(waiter& w) noexcept;
    /// Null when empty.
    waiter* pop() noexcept;
    /// The first whose wait could be ended, with that done: the caller hands something over and then calls
    /// wake_claimed(), when the lock is open again. Those that somebody else has woken are dropped. Null: none.
    waiter* pop_claimed() noexcept;

private:
    void set_first(waiter* w) noexcept { first_.store(w, std::memory_order_relaxed); }

    std::atomic<waiter*> first_{nullptr};
};

}  // namespace weft::detail
