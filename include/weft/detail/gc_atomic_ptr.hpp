// weft::gc::atomic_ptr<T>: a pointer into the collected heap that several coroutines and threads use at once.
#pragma once

#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <atomic>
#include <type_traits>

namespace weft::gc {

/// std::atomic<T*> with the barrier: each successful store is followed by it, whatever the memory order. Never waits.
template <class T>
class atomic_ptr {
    static_assert(!std::is_array_v<T>,
                  "weft::gc::atomic_ptr<T[]>: hold a gc::ptr<T[]> in an object "
                  "and let an atomic_ptr point to that");

public:
    using value_type = ptr<T>;
    static constexpr bool is_always_lock_free = std::atomic<T*>::is_always_lock_free;

    constexpr atomic_ptr() noexcept = default;
    constexpr atomic_ptr(std::nullptr_t) noexcept {}
    atomic_ptr(const ptr<T>& initial) noexcept : object_(initial.get()) {
        weft::detail::gc_stored(initial.get());
    }
    atomic_ptr(const atomic_ptr&) = delete;
    atomic_ptr& operator=(const atomic_ptr&) = delete;

    ptr<T> operator=(const ptr<T>& desired) noexcept {
        store(desired);
        return desired;
    }
    operator ptr<T>() const noexcept { return load(); }

    [[nodiscard]] bool is_lock_free() const noexcept { return object_.is_lock_free(); }

    void store(const ptr<T>& desired,
               std::memory_order order = std::memory_order_seq_cst) noexcept {
        T* const value = desired.get();
        object_.store(value, order);
        weft::detail::gc_stored(value);
    }
    [[nodiscard]] ptr<T> load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
        return ptr<T>(object_.load(order));
    }
    ptr<T> exchange(const ptr<T>& desired,
                    std::memory_order order = std::memory_order_seq_cst) noexcept {
        T* const value = desired.get();
        T* const old = object_.exchange(value, order);
        weft::detail::gc_stored(value);
        return ptr<T>(old);
    }

    /// On failure `expected` is what was found.
    bool compare_exchange_weak(ptr<T>& expected, const ptr<T>& desired, std::memory_order success,
                               std::memory_order failure) noexcept {
        T* found = expected.get();
        T* const value = desired.get();
        const bool stored = object_.compare_exchange_weak(found, value, success, failure);
        return settle(stored, expected, found, value);
    }
    bool compare_exchange_weak(ptr<T>& expected, const ptr<T>& desired,
                               std::memory_order order = std::memory_order_seq_cst) noexcept {
        T* found = expected.get();
        T* const value = desired.get();
        const bool stored = object_.compare_exchange_weak(found, value, order);
        return settle(stored, expected, found, value);
    }
    bool compare_exchange_strong(ptr<T>& expected, const ptr<T>& desired, std::memory_order success,
                                 std::memory_order failure) noexcept {
        T* found = expected.get();
        T* const value = desired.get();
        const bool stored = object_.compare_exchange_strong(found, value, success, failure);
        return settle(stored, expected, found, value);
    }
    bool compare_exchange_strong(ptr<T>& expected, const ptr<T>& desired,
                                 std::memory_order order = std::memory_order_seq_cst) noexcept {
        T* found = expected.get();
        T* const value = desired.get();
        const bool stored = object_.compare_exchange_strong(found, value, order);
        return settle(stored, expected, found, value);
    }

private:
    static bool settle(bool stored, ptr<T>& expected, T* found, T* value) noexcept {
        if (stored) {
            weft::detail::gc_stored(value);
        } else {
            expected = ptr<T>(found);
        }
        return stored;
    }

    std::atomic<T*> object_{nullptr};
};

}  // namespace weft::gc

namespace weft::detail {
template <class T>
inline constexpr bool gc_has_barrier<gc::atomic_ptr<T>> = true;
}  // namespace weft::detail
