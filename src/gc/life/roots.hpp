// The roots of the program: every gc::root that has pointed to something, on 64 lists.
//
// The address of a root chooses its list. The owner of the root links and unlinks it under the lock of the list, and
// stores to it without: see gc_root_word.
//
// Walking. The collector looks at `batch` roots at a time. Then it leaves a cursor in the list, a node that others pass
// by, and lets go of the lock for a moment, so nobody waits for long. A walk does not meet a root that is linked behind
// it, but the root's owner has shaded the object, because walks for marking take place while gc_marking is set.
//
// Invariant: the object of a listed root is alive.
//   Kept by     gc_root_word::set(), which stores, shades, and lists the root afterwards.
//   Relied on   by everybody who has a root, and by the end of the runtime: the heap stays mapped while any_root().
//   Checked by  tests/gc/roots_test.cpp, whose walkers meet others that come and go.
#pragma once

#include <weft/detail/gc_root.hpp>
#include <weft/detail/spin_lock.hpp>

#include "base/cache_line.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace weft::detail {

/// A doubly linked list of roots, and of the cursors of those who walk through it.
class alignas(cache_line) root_list {
public:
    static constexpr std::size_t batch = 64;

    constexpr root_list() noexcept = default;

    void add(gc_root_node& node) noexcept {
        const std::lock_guard hold(lock_);
        link_first(node);
    }
    void remove(gc_root_node& node) noexcept {
        const std::lock_guard hold(lock_);
        unlink(node);
    }

    /// Calls f(const void*) for what each root points to. A root that is listed all the while is met once. `f` is
    /// called under the lock and must be short.
    template <class F>
    void for_each(F&& f) {
        gc_root_node cursor;
        cursor.object.store(&is_cursor, std::memory_order_relaxed);
        lock_.lock();
        gc_root_node* node = first_;
        while (node != nullptr) {
            for (std::size_t n = 0; n != batch && node != nullptr; ++n) {
                // Relaxed: the walker wants one value the root has had, and stores after that one are shaded.
                const void* const object = node->object.load(std::memory_order_relaxed);
                if (object != nullptr && object != &is_cursor) f(object);
                node = next_of(*node);
            }
            if (node == nullptr) break;
            link_before(cursor, *node);
            lock_.unlock();
            lock_.lock();
            node = next_of(cursor);
            unlink(cursor);
        }
        lock_.unlock();
    }

    /// Around a fork().
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }
    /// In the child of a fork(), under the lock: whoever was going through the list is gone.
    void forget_walkers() noexcept {
        for (gc_root_node* node = first_; node != nullptr;) {
            gc_root_node* const next = next_of(*node);
            if (node->object.load(std::memory_order_relaxed) == &is_cursor) unlink(*node);
            node = next;
        }
    }

    /// Whether some root points to something.
    [[nodiscard]] bool any() {
        bool found = false;
        for_each([&](const void*) { found = true; });
        return found;
    }

private:
    // The walkers' own nodes point to this.
    static constexpr char is_cursor = 0;

    static std::uintptr_t hide(const gc_root_node* node) noexcept {
        return ~reinterpret_cast<std::uintptr_t>(node);
    }
    static gc_root_node* reveal(std::uintptr_t link) noexcept {
        return reinterpret_cast<gc_root_node*>(~link);
    }
    static gc_root_node* next_of(const gc_root_node& node) noexcept {
        return reveal(node.next.load(std::memory_order_relaxed));
    }

    static void set_next(gc_root_node& node, const gc_root_node* next) noexcept {
        node.next.store(hide(next), std::memory_order_relaxed);
    }

    void link_first(gc_root_node& node) noexcept {
        node.previous = hide(nullptr);
        set_next(node, first_);
        if (first_ != nullptr) first_->previous = hide(&node);
        first_ = &node;
    }
    void link_before(gc_root_node& node, gc_root_node& next) noexcept {
        gc_root_node* const previous = reveal(next.previous);
        node.previous = next.previous;
        set_next(node, &next);
        next.previous = hide(&node);
        if (previous == nullptr) {
            first_ = &node;
        } else {
            set_next(*previous, &node);
        }
    }
    void unlink(gc_root_node& node) noexcept {
        gc_root_node* const previous = reveal(node.previous);
        gc_root_node* const next = next_of(node);
        if (previous == nullptr) {
            first_ = next;
        } else {
            set_next(*previous, next);
        }
        if (next != nullptr) next->previous = node.previous;
        node.previous = 0;
        node.next.store(0, std::memory_order_relaxed);  // Not listed.
    }

    spin_lock lock_;
    gc_root_node* first_ = nullptr;
};

/// Usable in static constructors and destructors: it has neither.
extern constinit std::array<root_list, 64> all_roots;

/// Calls f(const void*) for what each root points to. The collector, while marking; but any thread may. See
/// root_list::for_each().
template <class F>
void for_each_root(F&& f) {
    for (root_list& list : all_roots) list.for_each(f);
}

/// Whether a root points to something. Out of date at once, unless nobody else runs.
[[nodiscard]] bool any_root() noexcept;

/// All lists, around a fork().
void lock_roots() noexcept;
void unlock_roots() noexcept;
/// In the child of a fork(), under all locks.
void forget_walks_of_roots() noexcept;

}  // namespace weft::detail
