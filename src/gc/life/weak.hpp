// Weak pointers: the cells that they share, and the gate that decides which objects still come back.
//
//     gc::weak --> cell { object, references }           the cell's `object` is a number to the collector: it keeps nothing
//
// Each object that has weak pointers has one cell, which a hash table of 64 shards finds by the object's address. Cells
// lie in a pool and are type-stable. The last weak pointer gives the cell back.
//
// The gate. lock() makes a pointer that was neither on a stack nor in the heap before, so the argument that a clean
// stack stays clean does not cover it. While marking, lock() therefore shades the object that it returns. At the end of
// marking the collector decides once which objects are dead, and no lock() may disagree. One word holds the phase:
//
//     idle         no collection marks                     lock() returns the object
//     marking      from before the first handshake         lock() shades the object and returns it
//     deciding     a round has found nothing               lock() shades it, tries deciding -> revived, returns it
//     revived      some lock() has shaded meanwhile        lock() shades it and returns it
//     clear        unmarked objects are dead               lock() returns it if it is marked, otherwise null
//
// The collector's steps:
//
//     begin_weak_marking()   handshakes and rounds   begin_deciding()   one more handshake and round   end_deciding()
//         if that round or end_deciding() has found anything:   resume_marking(), and rounds again
//         otherwise:   clear_dead_weak(), order_dead(), end_weak_marking(), the last handshake
//
// A thread is *busy* in lock() from before it reads the object until it returns it: no signal answers a handshake for
// the thread meanwhile, so no handshake begins and ends inside lock(). Hence, by the phase that lock() reads:
//   - idle: lock() returns before the first handshake ends, and the handshake scans the stack that the object is on.
//   - marking: the thread has shaded before it answers the handshake of begin_deciding(), and the answer brings the
//     shaded pointer.
//   - deciding: lock() makes end_deciding() fail, and the next round brings the pointer; or it finds `clear`.
//   - clear: the bits say it, with two exceptions. A processor that has answered the last handshake sweeps its own
//     spans, and takes marks away. So an unmarked object is dead only if the phase is still `clear` after the bits
//     were read; otherwise clear_dead_weak() is over, and the cell tells. And order_dead() marks dead objects to
//     revive them. It does so after clear_dead_weak(), so lock() reads the cell again after the bits.
//   - A thread that answers no handshakes, because it has no processor and is not attached, holds the lock of the
//     cell's shard instead of being busy. begin_deciding() takes each lock once after it has changed the phase: a
//     thread that had read `marking` has shaded by then.
//   Tested by   tests/gc/weak_test.cpp, where the gate's two ends meet at each of these points.
//
// Ownership. The collector alone writes `object` of a cell in the table, in clear_dead_weak(). The lock of the shard
// guards `next`, and the steps of `references` from 1 to 0 and from 0 to 1.
#pragma once

#include <weft/detail/gc_weak.hpp>
#include <weft/detail/spin_lock.hpp>

#include "base/cache_line.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace weft::detail {

struct cleanup_node;

struct weak_cell {
    /// The address of the object's slot; null once it has been found dead. If the pointer did not point into the
    /// heap: that pointer.
    std::atomic<const void*> object{nullptr};
    std::atomic<std::uint32_t> references{0};
    std::uint32_t shard = 0;
    std::uint64_t hash = 0;
    weak_cell* next = nullptr;  // In its bucket.
    /// Functions to be called when the object is gone. Under the shard's lock. A list that is not empty has a
    /// reference.
    cleanup_node* cleanups = nullptr;
    weak_cell* link = nullptr;  // For the pool.

    // The pool is never cooled: see fixed_pool.
    std::uint64_t strip() noexcept { return 0; }
    void dress(std::uint64_t) noexcept {}
};

enum class weak_phase : std::uint32_t { idle, marking, deciding, revived, clear };

/// The phase, and what lock() makes of it.
class weak_gate {
public:
    constexpr weak_gate() noexcept = default;

    // Collector. seq_cst: handshakes, whose fences order these with everything of the mutators, come between them;
    // nothing weaker is needed but nothing is gained either.
    void set(weak_phase phase) noexcept { phase_.store(phase, std::memory_order_seq_cst); }
    [[nodiscard]] weak_phase get() const noexcept { return phase_.load(std::memory_order_acquire); }
    /// deciding -> clear. False if some lock() has revived an object.
    [[nodiscard]] bool close() noexcept {
        weak_phase expected = weak_phase::deciding;
        return phase_.compare_exchange_strong(expected, weak_phase::clear,
                                              std::memory_order_seq_cst);
    }

    /// What a weak pointer to `cell` gives. The caller is busy. shade(const void*) and is_marked(const void*) are the
    /// collector's.
    template <class Shade, class IsMarked>
    [[nodiscard]] const void* pass(const std::atomic<const void*>& cell, Shade&& shade,
                                   IsMarked&& is_marked) {
        // acquire: with the object comes what its maker had done to it.
        const void* const object = cell.load(std::memory_order_acquire);
        if (object == nullptr) return nullptr;
        switch (phase_.load(std::memory_order_acquire)) {
        case weak_phase::idle:
            return object;
        case weak_phase::marking:
        case weak_phase::revived:
            shade(object);
            return object;
        case weak_phase::deciding: {
            shade(object);
            weak_phase expected = weak_phase::deciding;
            // release: the shaded pointer is in the buffer before the collector learns that there is one.
            if (phase_.compare_exchange_strong(expected, weak_phase::revived,
                                               std::memory_order_acq_rel) ||
                expected != weak_phase::clear) {
                return object;
            }
            break;
        }
        case weak_phase::clear:
            break;
        }
        const bool marked = is_marked(object);
        // acquire: the phase, or the cell, is read after the bits. See the last two points at the head of this file.
        std::atomic_thread_fence(std::memory_order_acquire);
        if (!marked && phase_.load(std::memory_order_relaxed) == weak_phase::clear) return nullptr;
        return cell.load(std::memory_order_relaxed);
    }

private:
    std::atomic<weak_phase> phase_{weak_phase::idle};
};

/// Cells by the address of their object: one of 64 parts of the table. A linear hash table: it grows by one bucket at
/// a time, so that no caller pays for the others. Buckets lie in segments, of which each is as large as all before
/// it.
class alignas(cache_line) weak_shard {
public:
    constexpr weak_shard() noexcept = default;

    /// Finds the cell of the object and takes a reference; null when there is none.
    [[nodiscard]] weak_cell* share(const void* object, std::uint64_t hash) noexcept {
        const std::lock_guard hold(lock_);
        return share_locked(object, hash);
    }
    /// Inserts `fresh`, which has one reference, unless there is a cell by now: returns the one that there is then,
    /// with one more reference.
    weak_cell& insert(weak_cell& fresh) noexcept;
    /// Gives one reference back. Returns the cell if that was the last: it is out of the table then.
    [[nodiscard]] weak_cell* release(weak_cell& cell) noexcept;

    /// Calls gone(cell) for each cell in the table, under the lock. If it returns true, the cell is taken out, its
    /// object is null, and taken(cell) is called.
    template <class Gone, class Taken>
    void sweep(Gone&& gone, Taken&& taken) {
        for (std::size_t bucket = 0;;) {
            const std::lock_guard hold(lock_);
            // A split moves cells to a bucket at the end only, where the sweep has not been yet.
            for (std::size_t n = 0; n != batch; ++n, ++bucket) {
                if (bucket >= buckets_) return;
                for (weak_cell** at = &bucket_at(bucket); *at != nullptr;) {
                    weak_cell& cell = **at;
                    if (gone(static_cast<const weak_cell&>(cell))) {
                        *at = cell.next;
                        cell.next = nullptr;
                        --cells_;
                        // release: see weak_gate::pass().
                        cell.object.store(nullptr, std::memory_order_release);
                        taken(cell);
                    } else {
                        at = &cell.next;
                    }
                }
            }
        }
    }

    /// Around a fork().
    void lock() noexcept { lock_.lock(); }
    void unlock() noexcept { lock_.unlock(); }

    /// Runs f() under the lock: for what else belongs to the cells.
    template <class F>
    decltype(auto) locked(F&& f) {
        const std::lock_guard hold(lock_);
        return f();
    }

    [[nodiscard]] bool empty() noexcept {
        const std::lock_guard hold(lock_);
        return cells_ == 0;
    }
    /// Gives the buckets back. The table is empty.
    void give_back_memory() noexcept;

private:
    static constexpr std::size_t batch = 32;
    static constexpr std::size_t first_size = 8;
    static constexpr std::size_t segments = 32;

    [[nodiscard]] static std::size_t segment_of(std::size_t bucket) noexcept;
    [[nodiscard]] weak_cell*& bucket_at(std::size_t bucket) noexcept;
    [[nodiscard]] std::size_t bucket_of(std::uint64_t hash) const noexcept;
    [[nodiscard]] weak_cell* share_locked(const void* object, std::uint64_t hash) noexcept;
    void split() noexcept;
    void add_segment() noexcept;

    static void free_segment(void* memory, std::size_t bytes) noexcept;

    spin_lock lock_;
    std::size_t cells_ = 0;
    std::size_t buckets_ = first_size;
    std::size_t base_ =
        first_size;  // A power of two with base_ <= buckets_ < 2 * base_; buckets below buckets_ - base_ are split.
    std::size_t room_ = first_size;  // How many buckets there is memory for.
    std::array<weak_cell*, first_size> first_{};
    std::array<weak_cell**, segments> segment_{};  // The first is not used: first_ is.
};

// The collector's steps, in this order: see the head of this file. --------------------------------------------------

void begin_weak_marking() noexcept;
void begin_deciding() noexcept;
/// Returns false if a weak pointer was locked meanwhile: then resume_marking().
[[nodiscard]] bool end_deciding() noexcept;
void resume_marking() noexcept;
/// Weak pointers to what is not marked become null. Before order_dead(), which marks some of it.
void clear_dead_weak() noexcept;
void end_weak_marking() noexcept;

/// All shards and the pool of cells, around a fork().
void lock_weak() noexcept;
void unlock_weak() noexcept;

/// Whether it makes a difference to decide.
[[nodiscard]] bool any_weak_or_destructible() noexcept;

/// Before the heap is unmapped: every weak pointer becomes null, cleanups are dropped, destructors that are due do
/// not run. Nobody uses the heap.
void forget_all_weak() noexcept;

/// The cleanups of what clear_dead_weak() has found, linked by `next`.
[[nodiscard]] cleanup_node* take_cleared_cleanups() noexcept;

/// Takes a reference to the cell of the object whose slot begins at `object`. Throws std::bad_alloc.
[[nodiscard]] weak_cell& cell_of(const void* object);
[[nodiscard]] weak_shard& shard_at(std::uint32_t number) noexcept;
[[nodiscard]] inline weak_shard& shard_of(const weak_cell& cell) noexcept {
    return shard_at(cell.shard);
}

}  // namespace weft::detail
