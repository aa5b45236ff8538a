#include "gc/life/cleanup.hpp"

#include "arch/calls.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "gc/heap/object.hpp"
#include "gc/life/weak.hpp"

#include <cstring>
#include <new>
#include <stdexcept>

namespace weft::detail {
namespace {

// Whether a word of the function points into the object: what it captures by mistake.
bool holds_pointer_to(const void* slot, const void* function, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes; at += sizeof(std::uintptr_t)) {
        std::uintptr_t word = 0;
        std::memcpy(&word, static_cast<const std::byte*>(function) + at, sizeof word);
        object_ref found;
        if (find_object(word, found) && found.base == slot) return true;
    }
    return false;
}

void release(cleanup_node& node) noexcept {
    // acq_rel: the last one frees it, after all others have let go of it.
    if (node.references.fetch_sub(1, std::memory_order_acq_rel) == 1) off_heap_delete(&node);
}

// Takes the node off the list of the cell that it is armed on. Returns true if the list is empty now. Under the
// shard's lock.
bool unlink(weak_cell& cell, cleanup_node& node) noexcept {
    cleanup_node** at = &cell.cleanups;
    while (*at != &node) at = &(*at)->next;
    *at = node.next;
    node.next = nullptr;
    node.cell = nullptr;
    return cell.cleanups == nullptr;
}

}  // namespace

[[gnu::noinline]] cleanup_node* gc_add_cleanup(const void* object, void* function,
                                               const cleanup_type& type) {
    WEFT_DEEP;
    object_ref found;
    if (object == nullptr || !find_object(reinterpret_cast<std::uintptr_t>(object), found)) {
        throw std::invalid_argument(
            "weft::gc::cleanup: the pointer is null, or not into the collected heap");
    }
    if (holds_pointer_to(found.base, function, type.size)) {
        throw std::invalid_argument(
            "weft::gc::cleanup: the function captures the object that it waits for, which would "
            "never go; capture what the function needs of it instead");
    }
    auto* const node = off_heap_new<cleanup_node>();
    weak_cell* cell = nullptr;
    try {
        cell = &cell_of(found.base);
    } catch (...) {
        off_heap_delete(node);
        throw;
    }
    node->type = &type;
    node->function.set(function);
    node->object = found.base;
    node->shard = cell->shard;
    node->cell = cell;
    const bool first = shard_of(*cell).locked([&] {
        node->next = cell->cleanups;
        return std::exchange(cell->cleanups, node) == nullptr;
    });
    if (!first) gc_unshare(*cell);  // The list has a reference, not each of its nodes.
    return node;
}

bool gc_cancel_cleanup(cleanup_node& node) noexcept {
    cleanup_state pending = cleanup_state::pending;
    // acquire: the function is there, whoever made it.
    if (!node.state.compare_exchange_strong(pending, cleanup_state::cancelled,
                                            std::memory_order_acquire)) {
        return false;
    }
    call_user(node.type->discard, const_cast<void*>(node.function.get()));
    node.function.set(nullptr);
    // Where it is armed it goes at once. Otherwise the queue has it, and drops it when its turn comes.
    weak_cell* emptied = nullptr;
    const bool unlinked = shard_at(node.shard).locked([&] {
        weak_cell* const cell = node.cell;
        if (cell == nullptr) return false;
        if (unlink(*cell, node)) emptied = cell;
        return true;
    });
    if (emptied != nullptr) gc_unshare(*emptied);
    if (unlinked) release(node);
    return true;
}

void gc_share_cleanup(cleanup_node& node) noexcept {
    node.references.fetch_add(1, std::memory_order_relaxed);  // Relaxed: the caller has one.
}

void gc_unshare_cleanup(cleanup_node& node) noexcept { release(node); }

void run_cleanup(cleanup_node& node) {
    struct guard {
        cleanup_node& node;
        bool taken = false;
        ~guard() {
            if (taken) node.function.set(nullptr);
            release(node);
        }
    } done{node};
    cleanup_state pending = cleanup_state::pending;
    done.taken = node.state.compare_exchange_strong(pending, cleanup_state::taken,
                                                    std::memory_order_acquire);
    if (done.taken) call_user(node.type->run, const_cast<void*>(node.function.get()));
}

void drop_cleanups(cleanup_node* first) noexcept {
    while (first != nullptr) {
        cleanup_node& node = *first;
        first = node.next;
        cleanup_state pending = cleanup_state::pending;
        // The function is not destroyed, as objects that live at exit are not.
        if (node.state.compare_exchange_strong(pending, cleanup_state::cancelled,
                                               std::memory_order_acquire)) {
            node.function.set(nullptr);
        }
        release(node);
    }
}

}  // namespace weft::detail
