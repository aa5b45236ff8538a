// gc::cleanup(object, f): functions that wait for an object to go, and are run then.
//
//     armed --> waiting for a destructor --> ready --> running --> done
//        \______________\____________________\------> cancelled
//
// A node is armed on the cell that the weak pointers of the object share: see weak.hpp. When the collector clears the
// cell, it takes the node. If a destructor of the object is due, the node waits for it, in the entry of the queue of
// destructors. Then the node is ready, and stands behind the destructors of its cycle.
//
// Ownership. `next`, and the list that it links, belong to the lock of the cell's shard while the node is armed; to the
// collector, and then to the entry, until it is ready; and from there to the lock of the queue (destructors.cpp). The
// function belongs to whoever takes `state` away from `pending`, and runs or discards it.
#pragma once

#include <weft/detail/gc_cleanup.hpp>
#include <weft/detail/gc_root.hpp>

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct weak_cell;

enum class cleanup_state : std::uint32_t { pending, taken, cancelled };

struct cleanup_node {
    std::atomic<cleanup_state> state{cleanup_state::pending};
    /// One for the handles each, one for the list.
    std::atomic<std::uint32_t> references{2};
    const cleanup_type* type = nullptr;
    gc_root_word function;
    const void* object =
        nullptr;  // The slot of the object that it waits for; a number, not a pointer, when that is gone.
    std::uint32_t shard = 0;    // The cell's.
    weak_cell* cell = nullptr;  // While it is armed.
    cleanup_node* next = nullptr;
};

/// Takes the function, unless it was cancelled, and runs it on the calling coroutine. Gives the list's reference
/// back. What the function throws leaves it.
void run_cleanup(cleanup_node&);

/// Drops a list: nothing is run.
void drop_cleanups(cleanup_node* first) noexcept;

}  // namespace weft::detail
