#include "gc/life/weak.hpp"

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "gc/heap/heap.hpp"
#include "gc/life/cleanup.hpp"
#include "gc/life/destructors.hpp"
#include "gc/shade.hpp"
#include "mem/fixed_pool.hpp"
#include "os/memory.hpp"

#include <bit>
#include <new>
#include <utility>

namespace weft::detail {
namespace {

constinit weak_gate gate;
constinit std::array<weak_shard, 64> shards;
constinit fixed_pool<weak_cell, &weak_cell::link> cells{"weak cells"};

// Cleanups whose objects this cycle has found dead. Only the collector uses it.
constinit cleanup_node* cleared_cleanups = nullptr;

std::uint64_t hash_of(const void* object) noexcept {
    const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(object));
    const std::uint64_t mixed = (address >> 4) * 0x9e3779b97f4a7c15u;
    return mixed ^ (mixed >> 32);  // The low bits choose the bucket, the high ones the shard.
}

// The slot of the object that is pointed into; what does not point into the heap stands for itself.
const void* slot_of(const void* inside) noexcept {
    object_ref found;
    return find_object(reinterpret_cast<std::uintptr_t>(inside), found) ? found.base : inside;
}

void give_cell(weak_cell& cell) noexcept {
    cell.object.store(nullptr, std::memory_order_relaxed);
    cell.next = nullptr;
    cells.give(cell);
}

bool is_dead(const weak_cell& cell) noexcept {
    object_ref found;
    // Relaxed: only the collector writes it after the cell was inserted, and this is the collector.
    const void* const object = cell.object.load(std::memory_order_relaxed);
    return find_object(reinterpret_cast<std::uintptr_t>(object), found) && !is_marked(found);
}

// Takes those cells out of the table that `gone` chooses, and hands on their cleanups.
template <class F>
void clear_cells(F&& gone) noexcept {
    weak_cell* with_cleanups = nullptr;
    for (weak_shard& shard : shards) {
        shard.sweep(gone, [&](weak_cell& cell) {
            if (cell.cleanups == nullptr) return;
            cell.next =
                with_cleanups;  // Nobody else uses it: the cell is out of the table, and has the list's reference.
            with_cleanups = &cell;
        });
    }
    while (with_cleanups != nullptr) {
        weak_cell& cell = *with_cleanups;
        with_cleanups = cell.next;
        cell.next = nullptr;
        cleanup_node* armed = shard_of(cell).locked([&] {
            cleanup_node* const list = std::exchange(cell.cleanups, nullptr);
            for (cleanup_node* n = list; n != nullptr; n = n->next) n->cell = nullptr;
            return list;
        });
        while (armed != nullptr) {
            cleanup_node* const next = armed->next;
            armed->next = cleared_cleanups;
            cleared_cleanups = armed;
            armed = next;
        }
        gc_unshare(cell);
    }
}

}  // namespace

// The table. ---------------------------------------------------------------------------------------------------------

std::size_t weak_shard::segment_of(std::size_t bucket) noexcept {
    return static_cast<std::size_t>(std::bit_width(bucket / first_size));
}

weak_cell*& weak_shard::bucket_at(std::size_t bucket) noexcept {
    const std::size_t segment = segment_of(bucket);
    if (segment == 0) return first_[bucket];
    return segment_[segment][bucket - (first_size << (segment - 1))];
}

std::size_t weak_shard::bucket_of(std::uint64_t hash) const noexcept {
    const auto bucket = static_cast<std::size_t>(hash) & (2 * base_ - 1);
    return bucket < buckets_ ? bucket : bucket - base_;
}

weak_cell* weak_shard::share_locked(const void* object, std::uint64_t hash) noexcept {
    for (weak_cell* cell = bucket_at(bucket_of(hash)); cell != nullptr; cell = cell->next) {
        if (cell->object.load(std::memory_order_relaxed) != object) continue;
        cell->references.fetch_add(1, std::memory_order_relaxed);
        return cell;
    }
    return nullptr;
}

weak_cell& weak_shard::insert(weak_cell& fresh) noexcept {
    bool small = false;
    {
        const std::lock_guard hold(lock_);
        const void* const object = fresh.object.load(std::memory_order_relaxed);
        if (weak_cell* const other = share_locked(object, fresh.hash)) return *other;
        weak_cell*& bucket = bucket_at(bucket_of(fresh.hash));
        fresh.next = bucket;
        bucket = &fresh;
        if (++cells_ > buckets_) {
            if (buckets_ < room_) split();
            small = cells_ > buckets_ && buckets_ == room_;
        }
    }
    if (small) add_segment();
    return fresh;
}

weak_cell* weak_shard::release(weak_cell& cell) noexcept {
    std::uint32_t n = cell.references.load(std::memory_order_relaxed);
    while (n > 1) {
        // release: what we did with the cell comes before its next user.
        if (cell.references.compare_exchange_weak(n, n - 1, std::memory_order_release,
                                                  std::memory_order_relaxed)) {
            return nullptr;
        }
    }
    // It becomes 0 only under the lock. A thread that finds the cell in the table first raises it again.
    const std::lock_guard hold(lock_);
    if (cell.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return nullptr;
    if (cell.object.load(std::memory_order_relaxed) != nullptr) {
        weak_cell** at = &bucket_at(bucket_of(cell.hash));
        while (*at != &cell) at = &(*at)->next;
        *at = cell.next;
        --cells_;
    }
    return &cell;
}

// Moves a part of one bucket to a new one at the end. Under the lock.
void weak_shard::split() noexcept {
    weak_cell** from = &bucket_at(buckets_ - base_);
    weak_cell*& to = bucket_at(buckets_);
    while (*from != nullptr) {
        weak_cell& cell = **from;
        if ((cell.hash & base_) != 0) {
            *from = cell.next;
            cell.next = to;
            to = &cell;
        } else {
            from = &cell.next;
        }
    }
    if (++buckets_ == 2 * base_) base_ = buckets_;
}

// Without the lock, because it may be a call to the kernel. Without memory the chains grow longer, and that is all.
void weak_shard::add_segment() noexcept {
    std::size_t room = 0;
    {
        const std::lock_guard hold(lock_);
        room = room_;
    }
    const std::size_t segment = segment_of(room);
    if (segment >= segments) return;
    const std::size_t bytes = room * sizeof(weak_cell*);  // NOLINT(bugprone-sizeof-expression)
    void* memory = nullptr;
    if (bytes >= page_size) {
        memory = reserve_pages(bytes, page_size, "weak table");
        if (memory == nullptr) return;
    } else {
        try {
            memory = off_heap_allocate(bytes, alignof(weak_cell*));
        } catch (const std::bad_alloc&) {
            return;
        }
        __builtin_memset(memory, 0, bytes);
    }
    {
        const std::lock_guard hold(lock_);
        if (room_ == room) {
            segment_[segment] = static_cast<weak_cell**>(memory);
            room_ = 2 * room;
            return;
        }
    }
    free_segment(memory, bytes);  // Somebody else was faster.
}

void weak_shard::free_segment(void* memory, std::size_t bytes) noexcept {
    if (bytes >= page_size) {
        release_pages(memory, bytes);
    } else {
        off_heap_free(memory);
    }
}

void weak_shard::give_back_memory() noexcept {
    const std::lock_guard hold(lock_);
    if (cells_ != 0) return;
    for (std::size_t s = 1; s != segments; ++s) {
        if (segment_[s] == nullptr) break;
        // NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers.
        free_segment(segment_[s], (first_size << (s - 1)) * sizeof(weak_cell*));
        segment_[s] = nullptr;
    }
    base_ = buckets_ = room_ = first_size;
}

// Weak pointers. -----------------------------------------------------------------------------------------------------

weak_shard& shard_at(std::uint32_t number) noexcept { return shards[number]; }

weak_cell& cell_of(const void* object) {
    const std::uint64_t hash = hash_of(object);
    const auto number = static_cast<std::uint32_t>(hash >> 58);
    weak_shard& shard = shards[number];
    if (weak_cell* const cell = shard.share(object, hash)) return *cell;
    weak_cell* const fresh = cells.take();
    if (fresh == nullptr) throw std::bad_alloc();
    fresh->hash = hash;
    fresh->shard = number;
    fresh->references.store(1, std::memory_order_relaxed);
    fresh->object.store(object, std::memory_order_relaxed);
    weak_cell& cell = shard.insert(*fresh);
    if (&cell != fresh) {
        fresh->references.store(0, std::memory_order_relaxed);
        give_cell(*fresh);
    }
    return cell;
}

[[gnu::noinline]] weak_place gc_weaken(const void* inside) {
    WEFT_DEEP;
    if (inside == nullptr) return {};
    const void* const object = slot_of(inside);
    return {&cell_of(object),
            reinterpret_cast<std::uintptr_t>(inside) - reinterpret_cast<std::uintptr_t>(object)};
}

void gc_share(weak_cell& cell) noexcept {
    cell.references.fetch_add(1, std::memory_order_relaxed);  // Relaxed: the caller has one.
}

void gc_unshare(weak_cell& cell) noexcept {
    if (weak_cell* const last = shard_of(cell).release(cell)) give_cell(*last);
}

const void* gc_lock(const weak_place& place) noexcept {
    if (place.cell == nullptr) return nullptr;
    weak_cell& cell = *place.cell;
    const auto pass = [&cell] {
        return gate.pass(
            cell.object, [](const void* p) noexcept { gc_shade(p); },
            [](const void* p) noexcept {
                object_ref found;
                // The collector does not own what lies elsewhere.
                return !find_object(reinterpret_cast<std::uintptr_t>(p), found) || is_marked(found);
            });
    };
    const void* object = nullptr;
    if (this_thread_block()->mutator.load(std::memory_order_relaxed) == nullptr) {
        // It answers no handshake: begin_deciding() waits for the lock instead.
        object = shard_of(cell).locked(pass);
    } else {
        gc_enter_busy();
        object = pass();
        gc_leave_busy();
    }
    // From here on the object lies in a register or on the stack, where an answer to the collector finds it.
    return object == nullptr ? nullptr : static_cast<const std::byte*>(object) + place.offset;
}

bool gc_is_gone(const weak_cell& cell) noexcept {
    return cell.object.load(std::memory_order_acquire) == nullptr;
}

// The collector. -----------------------------------------------------------------------------------------------------

void begin_weak_marking() noexcept { gate.set(weak_phase::marking); }

void begin_deciding() noexcept {
    gate.set(weak_phase::deciding);
    for (weak_shard& shard : shards) shard.locked([] {});
}

bool end_deciding() noexcept { return gate.close(); }

void resume_marking() noexcept { gate.set(weak_phase::marking); }

void end_weak_marking() noexcept { gate.set(weak_phase::idle); }

void clear_dead_weak() noexcept {
    clear_cells(is_dead);
    // release: a thread that finds an object marked, which order_dead() has revived, finds its cell cleared.
    std::atomic_thread_fence(std::memory_order_release);
}

cleanup_node* take_cleared_cleanups() noexcept { return std::exchange(cleared_cleanups, nullptr); }

void lock_weak() noexcept {
    for (weak_shard& shard : shards) shard.lock();
    cells.lock();
}

void unlock_weak() noexcept {
    cells.unlock();
    for (weak_shard& shard : shards) shard.unlock();
}

bool any_weak_or_destructible() noexcept {
    for (weak_shard& shard : shards) {
        if (!shard.empty()) return true;
    }
    const std::uint32_t chunks = chunks_in_use();
    for (std::uint32_t c = 0; c != chunks; ++c) {
        // Relaxed: an object that comes now is black.
        if (arena.chunks.get()[c].destructible.load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
}

void forget_all_weak() noexcept {
    clear_cells([](const weak_cell& cell) {
        object_ref found;
        return find_object(
            reinterpret_cast<std::uintptr_t>(cell.object.load(std::memory_order_relaxed)), found);
    });
    drop_cleanups(take_cleared_cleanups());
    forget_destructors();
    for (weak_shard& shard : shards) shard.give_back_memory();
    cells.release();
}

}  // namespace weft::detail
