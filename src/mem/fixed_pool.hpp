// Type-stable objects off the heap: coroutine descriptors and their like.
//
//     slab    64 KiB, aligned:   [ header | T T T T ... ]       constructed from the left, on demand
//
// Invariants
//   - Memory that has held a T holds one until release(): a stale pointer reads a T, if not the same one.
//     Whoever keeps such pointers checks an epoch in the T.
//   - A T is constructed once, when first handed out, and keeps its content between its users.
//   - Every constructed T is in the hands of a user, in a processor's cache, or on the free list.
//
// Ordering. Edge *publish slab*: a new slab's header is complete before `slabs_` is stored with release,
// and a T before its header's count is; for_each() loads both with acquire and so never sees raw memory.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/tsan.hpp"
#include "mem/slab_layout.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

namespace weft::detail {

template <class T, T* T::*Link>
class fixed_pool {
public:
    static constexpr std::size_t slab_size = pool_slab_size;

    explicit constexpr fixed_pool(const char* name) noexcept : name_(name) {}
    fixed_pool(const fixed_pool&) = delete;
    fixed_pool& operator=(const fixed_pool&) = delete;

    /// Null when the kernel gives no more memory. Any thread.
    [[nodiscard]] T* take() noexcept {
        T* one = nullptr;
        return take(&one, 1) == 1 ? one : nullptr;
    }

    /// Fills `out` with up to `count`; returns how many.
    std::size_t take(T** out, std::size_t count) noexcept {
        const std::lock_guard hold(lock_);
        std::size_t n = 0;
        while (n != count) {
            T* object = free_.pop();
            if (object == nullptr) object = construct_next();
            if (object == nullptr) break;
            out[n++] = object;
        }
        return n;
    }

    void give(T& object) noexcept {
        T* one = &object;
        give(&one, 1);
    }

    void give(T* const* objects, std::size_t count) noexcept {
        const std::lock_guard hold(lock_);
        for (std::size_t i = 0; i != count; ++i) free_.push(*objects[i]);
    }

    /// Calls f(T&) for every T ever constructed, in use or not. Any thread, without a lock.
    template <class F>
    void for_each(F&& f) {
        for (slab* s = slabs_.load(std::memory_order_acquire); s != nullptr; s = s->next) {
            const std::size_t count = s->constructed.load(std::memory_order_acquire);
            for (std::size_t i = 0; i != count; ++i) f(*layout::at(*s, i));
        }
    }

    /// Where a walk through all T has got to. A walk meets every T that was constructed before it began.
    class position {
        friend fixed_pool;
        void* slab_ = nullptr;
        std::size_t index_ = 0;
    };

    /// Goes on from `at`, a default one at first, with f(T&) for at most `count`. False when the walk has come to its
    /// end; `at` is then where the next one begins. Any thread, one walk a position, without a lock.
    template <class F>
    bool walk(position& at, std::size_t count, F&& f) {
        slab* s = at.slab_ != nullptr ? static_cast<slab*>(at.slab_)
                                      : slabs_.load(std::memory_order_acquire);
        for (; s != nullptr; s = s->next, at.index_ = 0) {
            const std::size_t there = s->constructed.load(std::memory_order_acquire);
            for (; at.index_ < there; ++at.index_) {
                if (count-- == 0) {
                    at.slab_ = s;
                    return true;
                }
                f(*layout::at(*s, at.index_));
            }
        }
        at = position();
        return false;
    }

    /// Gives all memory back if every T is home. Otherwise (somebody still holds one) nothing happens,
    /// and the pool goes on as it is. Nobody else may use the pool meanwhile.
    void release() noexcept {
        const std::lock_guard hold(lock_);
        if (free_.size() != constructed_) return;
        slab* s = slabs_.exchange(nullptr);
        while (s != nullptr) {
            slab* const next = s->next;
            for (std::size_t i = 0, n = s->constructed; i != n; ++i) layout::at(*s, i)->~T();
            release_pages(s, slab_size);
            s = next;
        }
        free_ = {};
        constructed_ = 0;
    }

    /// Returns true if `address` is that of a T of this pool, in use or not. Any thread, without a lock.
    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
        const std::uintptr_t base = address & ~std::uintptr_t{slab_size - 1};
        for (const slab* s = slabs_.load(std::memory_order_acquire); s != nullptr; s = s->next) {
            if (reinterpret_cast<std::uintptr_t>(s) == base) return true;
        }
        return false;
    }

    [[nodiscard]] std::size_t constructed() noexcept {
        const std::lock_guard hold(lock_);
        return constructed_;
    }

    // Debuggers read these: where the list of slabs begins, and what a slab has where.
    static constexpr std::size_t slabs_offset() noexcept;
    static constexpr std::size_t next_offset() noexcept { return offsetof(slab, next); }
    static constexpr std::size_t constructed_offset() noexcept {
        return offsetof(slab, constructed);
    }
    static constexpr std::size_t first_offset() noexcept { return layout::first_offset; }

private:
    struct slab {
        slab* next;
        std::atomic<std::size_t> constructed;
    };

    using layout = slab_layout<T, slab>;

    T* construct_next() noexcept {
        slab* s = slabs_.load(std::memory_order_relaxed);
        if (s == nullptr || s->constructed.load(std::memory_order_relaxed) == layout::count) {
            void* const memory = reserve_pages(slab_size, slab_size, name_);
            if (memory == nullptr) return nullptr;
            s = ::new (memory) slab{s, 0};
            slabs_.store(s, std::memory_order_release);  // publish slab
        }
        const std::size_t n = s->constructed.load(std::memory_order_relaxed);
        T* object = nullptr;
        {
            const unrecorded unseen;  // Published once, to all its users to come.
            object = ::new (static_cast<void*>(layout::at(*s, n))) T;
        }
        s->constructed.store(n + 1, std::memory_order_release);  // publish slab
        ++constructed_;
        return object;
    }

    const char* const name_;
    ranked_lock lock_{lock_rank::pool};
    std::atomic<slab*> slabs_{nullptr};
    intrusive_stack<T, Link> free_;
    std::size_t constructed_ = 0;
};

template <class T, T* T::*Link>
constexpr std::size_t fixed_pool<T, Link>::slabs_offset() noexcept {
    return offsetof(fixed_pool, slabs_);
}

}  // namespace weft::detail
