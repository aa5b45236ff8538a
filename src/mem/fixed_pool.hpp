// Type-stable objects off the heap: coroutine descriptors and their like.
//
//     slab    64 KiB, aligned:   [ header | T T T T ... ]       constructed from the left, on demand
//
// Invariants
//   - Memory that has held a T holds one, or zeroes, until release(): a stale pointer reads that, if not the same T.
//     A holder of such pointers checks a number in the T that never comes twice: an epoch.
//   - A T is constructed once, when first handed out, and keeps its content between its users, but for cool().
//   - Every constructed T is in the hands of a user, in a processor's cache, or home in its slab.
//   - A slab is in `home_` or `bare_` if all its T are home, in `with_room_` if some are, in no list if none is or cool() is
//     about to strip it. take() uses those with room first, so that a slab once emptied stays so.
//
// cool() gives back the memory of slabs that have been home for a while, and keeps their addresses: they are bare then, and
// read 0. So a T of all zeroes has to be a T that is home. T has two functions for that:
//
//     std::uint64_t T::strip() noexcept         destroys what it holds, keeps others out until it reads 0, and
//                                               returns a number from which it may go on.
//     void T::dress(std::uint64_t) noexcept     makes zeroes a T as if constructed, but for two things: its numbers go on
//                                               from this one, and it leaves alone what others may be about to use (a lock).
//
// Ordering. Edge *publish slab*: a new slab's header is complete before `slabs_` is stored with release,
// and a T before its header's count is; for_each() loads both with acquire and so never sees raw memory.
// Somebody who still looks at a T that is made bare meanwhile sees zeroes, the T, or a mixture. He may write to it as to
// any T that is home: a stale ticket's CAS fails, a claim is taken back, a request to cancel is overwritten when the next user
// begins, a lock is released again.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/linked_list.hpp"
#include "base/tsan.hpp"
#include "mem/slab_layout.hpp"
#include "os/memory.hpp"
#include "os/ranked_lock.hpp"

#include <algorithm>
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
            slab* const s = with_room();
            if (s == nullptr) break;
            n += take_from(*s, out + n, count - n);
        }
        in_use_ += n;
        return n;
    }

    void give(T& object) noexcept {
        T* one = &object;
        give(&one, 1);
    }

    void give(T* const* objects, std::size_t count) noexcept {
        // The headers lie at the same place in their pages, so after a spike most are in no cache.
        for (std::size_t i = 0; i != count; ++i)
            __builtin_prefetch(&layout::slab_of(*objects[i]), 1);
        const std::lock_guard hold(lock_);
        for (std::size_t i = 0; i != count;) i += give_to_one(objects + i, count - i);
        in_use_ -= count;
    }

    /// Around a fork().
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }

    /// Slabs that come home from now on are of another round. Any thread.
    void begin_round() noexcept {
        const std::lock_guard hold(lock_);
        ++round_;
    }

    /// Gives back the memory of up to `most` slabs that have been home for a whole round, from its beginning to its end; one
    /// stays. Any thread. Returns how many bytes went back.
    std::size_t cool(std::size_t most) noexcept {
        std::size_t bytes = 0;
        for (; most != 0; --most) {
            slab* s = nullptr;
            {
                const std::lock_guard hold(lock_);
                s = home_.last();
                if (s == nullptr || s->emptied_in + 1 >= round_) break;
                if (s == home_.first() && with_room_.empty()) break;
                home_.remove(*s);
            }
            // It is in no list, so nobody takes from it. This takes some microseconds, so nobody waits for it either.
            strip(*s);
            bytes += slab_size - page_size;
            const std::lock_guard hold(lock_);
            bare_.push_front(*s);
        }
        return bytes;
    }

    /// Calls f(T&) for every T that has been handed out, in use or not, but for those that are bare. Any thread, without a
    /// lock.
    template <class F>
    void for_each(F&& f) {
        for (slab* s = slabs_.load(std::memory_order_acquire); s != nullptr; s = s->next_of_all) {
            const std::size_t count = s->constructed.load(std::memory_order_acquire);
            for (std::size_t i = 0; i != count; ++i) f(*layout::at(*s, i));
        }
    }

    /// Where a walk through all T has got to. A walk meets every T that was in use before it began, and stays so.
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
        for (; s != nullptr; s = s->next_of_all, at.index_ = 0) {
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
        if (in_use_ != 0) return;
        slab* s = slabs_.exchange(nullptr);
        while (s != nullptr) {
            slab* const next = s->next_of_all;
            for (std::size_t i = 0, n = s->constructed; i != n; ++i) layout::at(*s, i)->~T();
            release_pages(s, slab_size);
            s = next;
        }
        with_room_ = home_ = bare_ = {};
    }

    /// Returns true if `address` is that of a T of this pool, in use or not. Any thread, without a lock.
    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
        const std::uintptr_t base = address & ~std::uintptr_t{slab_size - 1};
        for (const slab* s = slabs_.load(std::memory_order_acquire); s != nullptr;
             s = s->next_of_all) {
            if (reinterpret_cast<std::uintptr_t>(s) == base) return true;
        }
        return false;
    }

    /// How many T there are that are not bare; out of date at once. Any thread, without a lock.
    [[nodiscard]] std::size_t constructed() const noexcept {
        std::size_t sum = 0;
        for (const slab* s = slabs_.load(std::memory_order_acquire); s != nullptr;
             s = s->next_of_all) {
            sum += s->constructed.load(std::memory_order_relaxed);
        }
        return sum;
    }

    // Debuggers read these: where the list of slabs begins, and what a slab has where.
    static constexpr std::size_t slabs_offset() noexcept;
    static constexpr std::size_t next_offset() noexcept { return offsetof(slab, next_of_all); }
    static constexpr std::size_t constructed_offset() noexcept {
        return offsetof(slab, constructed);
    }
    static constexpr std::size_t first_offset() noexcept { return layout::first_offset; }

private:
    struct slab {
        slab* next_of_all = nullptr;
        std::atomic<std::size_t> constructed{0};
        slab* previous = nullptr;
        slab* next = nullptr;
        intrusive_stack<T, Link> free;
        std::uint32_t used = 0;    // In the hands of users.
        std::uint32_t bared = 0;   // So many from the left are zeroes, or were.
        std::uint64_t number = 0;  // Those go on from this one.
        std::uint64_t emptied_in = 0;
    };

    using layout = slab_layout<T, slab>;

    // One with a T to take, first in its list; null when the kernel gives no more memory.
    slab* with_room() noexcept {
        if (slab* const s = with_room_.first(); s != nullptr) return s;
        slab* s = home_.first();
        if (s != nullptr) {
            home_.remove(*s);
        } else if ((s = bare_.first()) != nullptr) {
            bare_.remove(*s);
        } else if ((s = make_slab()) == nullptr) {
            return nullptr;
        }
        with_room_.push_front(*s);
        return s;
    }

    std::size_t take_from(slab& s, T** out, std::size_t most) noexcept {
        const std::size_t n = std::min(most, layout::count - s.used);
        for (std::size_t i = 0; i != n; ++i) {
            T* const object = s.free.pop();
            out[i] = object != nullptr ? object : dress_next(s);
        }
        s.used += static_cast<std::uint32_t>(n);
        if (s.used == layout::count) with_room_.remove(s);
        return n;
    }

    // Those at the front that are of one slab; returns how many that is.
    std::size_t give_to_one(T* const* objects, std::size_t count) noexcept {
        slab& s = layout::slab_of(*objects[0]);
        std::size_t n = 0;
        do s.free.push(*objects[n]);
        while (++n != count && &layout::slab_of(*objects[n]) == &s);
        if (s.used == layout::count) with_room_.push_front(s);
        s.used -= static_cast<std::uint32_t>(n);
        if (s.used == 0) {
            with_room_.remove(s);
            home_.push_front(s);
            s.emptied_in = round_;
        }
        return n;
    }

    slab* make_slab() noexcept {
        void* const memory = reserve_pages(slab_size, slab_size, name_);
        if (memory == nullptr) return nullptr;
        auto* const s = ::new (memory) slab;
        s->next_of_all = slabs_.load(std::memory_order_relaxed);
        slabs_.store(s, std::memory_order_release);  // publish slab
        return s;
    }

    T* dress_next(slab& s) noexcept {
        const unrecorded unseen;  // Published once, to all its users to come.
        const std::size_t n = s.constructed.load(std::memory_order_relaxed);
        T* const object = layout::at(s, n);
        if (n < s.bared) {
            object->dress(s.number);
        } else {
            ::new (static_cast<void*>(object)) T;
        }
        s.constructed.store(n + 1, std::memory_order_release);  // publish slab
        return object;
    }

    void strip(slab& s) noexcept {
        const unrecorded unseen;
        const std::size_t n = s.constructed.load(std::memory_order_relaxed);
        s.constructed.store(0, std::memory_order_relaxed);  // Nobody need look at zeroes.
        for (std::size_t i = 0; i != n; ++i) {
            s.number = std::max(s.number, layout::at(s, i)->strip());
        }
        s.bared = std::max(s.bared, static_cast<std::uint32_t>(n));
        // The page with the header stays. Each word is written once: a lock that is among them may be taken at once.
        auto* const second_page = reinterpret_cast<std::byte*>(&s) + page_size;
        auto* word = reinterpret_cast<std::uint64_t*>(layout::at(s, 0));
        for (; word != reinterpret_cast<std::uint64_t*>(second_page); ++word) {
            std::atomic_ref(*word).store(0, std::memory_order_release);
        }
        zero_pages(second_page, slab_size - page_size);
        s.free = {};
    }

    const char* const name_;
    ranked_lock lock_{lock_rank::pool};
    std::atomic<slab*> slabs_{nullptr};
    linked_list<slab> with_room_;
    linked_list<slab> home_;  // Those emptied last come first.
    linked_list<slab> bare_;
    std::size_t in_use_ = 0;
    std::uint64_t round_ = 1;
};

template <class T, T* T::*Link>
constexpr std::size_t fixed_pool<T, Link>::slabs_offset() noexcept {
    return offsetof(fixed_pool, slabs_);
}

}  // namespace weft::detail
