// Type-stable objects whose memory goes back when it is not needed any more.
//
//     slab    64 KiB, aligned:   [ header | T T T T ... ]       constructed from the left, on demand
//
// As fixed_pool, but cool() gives back the slabs of which every T is home and named by nobody. T says so by
// `bool is_named() const noexcept`: whether somebody may still read it through a pointer that he took while it was in
// use. Once false for a T that is home it must stay false until the T is taken again.
//
// Invariants
//   - Memory that has held a T holds one until it is given back: a pointer that counts as naming it reads a T.
//   - A T is constructed once, when first handed out, and keeps its content between its users.
//   - A slab is in `home_` if all its T are home, in `with_room_` if some are, in no list if none is. take() uses those
//     with room first, so that a slab once emptied stays so.
#pragma once

#include "base/intrusive_list.hpp"
#include "base/linked_list.hpp"
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
class shrinking_pool {
public:
    static constexpr std::size_t slab_size = pool_slab_size;

    explicit constexpr shrinking_pool(const char* name) noexcept : name_(name) {}
    shrinking_pool(const shrinking_pool&) = delete;
    shrinking_pool& operator=(const shrinking_pool&) = delete;

    /// Null when the kernel gives no more memory. Any thread.
    [[nodiscard]] T* take() noexcept {
        const std::lock_guard hold(lock_);
        slab* s = with_room_.first();
        if (s == nullptr) {
            s = home_.first();
            if (s != nullptr) {
                home_.remove(*s);
            } else if ((s = make_slab()) == nullptr) {
                return nullptr;
            }
            with_room_.push_front(*s);
        }
        T* object = s->free.pop();
        if (object == nullptr) {
            const unrecorded unseen;  // Published once, to all its users to come.
            object = ::new (static_cast<void*>(layout::at(*s, s->constructed++))) T;
        }
        if (++s->used == layout::count) with_room_.remove(*s);
        return object;
    }

    void give(T& object) noexcept {
        slab& s = layout::slab_of(object);
        const std::lock_guard hold(lock_);
        s.free.push(object);
        if (s.used-- == layout::count) with_room_.push_front(s);
        if (s.used != 0) return;
        with_room_.remove(s);
        home_.push_back(s);
    }

    /// Looks at up to `most` slabs of which every T is home, and gives back those that nobody names; one slab stays. Any
    /// thread. Returns how many bytes went back.
    std::size_t cool(std::size_t most) noexcept {
        std::size_t bytes = 0;
        for (; most != 0; --most) {
            slab* s = nullptr;
            {
                // One at a time under the lock: to look at every T of a slab is long enough for others to wait.
                const std::lock_guard hold(lock_);
                s = home_.first();
                if (s == nullptr || slabs() == 1) return bytes;
                home_.remove(*s);
                if (is_named(*s)) {
                    home_.push_back(*s);
                    continue;
                }
                slab_count_.store(slabs() - 1, std::memory_order_relaxed);
            }
            destroy(*s);
            bytes += slab_size;
        }
        return bytes;
    }

    /// Gives back every slab whose T are all home. Nobody else may use the pool meanwhile, and nobody names what is home.
    void release() noexcept {
        const std::lock_guard hold(lock_);
        while (slab* const s = home_.first()) {
            home_.remove(*s);
            slab_count_.store(slabs() - 1, std::memory_order_relaxed);
            destroy(*s);
        }
    }

    /// How many slabs there are, which may be out of date at once. Any thread.
    [[nodiscard]] std::size_t slabs() const noexcept {
        return slab_count_.load(std::memory_order_relaxed);
    }

private:
    struct slab {
        slab* previous = nullptr;
        slab* next = nullptr;
        intrusive_stack<T, Link> free;
        std::size_t constructed = 0;
        std::size_t used = 0;  // In the hands of users.
    };

    using layout = slab_layout<T, slab>;

    static bool is_named(slab& s) noexcept {
        for (std::size_t i = 0; i != s.constructed; ++i) {
            if (layout::at(s, i)->is_named()) return true;
        }
        return false;
    }

    static void destroy(slab& s) noexcept {
        for (std::size_t i = 0; i != s.constructed; ++i) layout::at(s, i)->~T();
        release_pages(&s, slab_size);
    }

    slab* make_slab() noexcept {
        void* const memory = reserve_pages(slab_size, slab_size, name_);
        if (memory == nullptr) return nullptr;
        slab_count_.store(slabs() + 1, std::memory_order_relaxed);
        return ::new (memory) slab;
    }

    const char* const name_;
    ranked_lock lock_{lock_rank::pool};
    linked_list<slab> with_room_;
    linked_list<slab> home_;
    std::atomic<std::size_t> slab_count_{0};  // Changed under the lock.
};

}  // namespace weft::detail
