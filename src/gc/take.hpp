// Taking memory for objects from the calling thread's heap: the part of an allocation that needs room on the stack, and so runs on
// the scheduler stack where the coroutine's is a split one. It neither parks nor throws.
#pragma once

#include <weft/detail/gc_heap.hpp>

#include "gc/pacer.hpp"

#include <cstddef>

namespace weft::detail {

enum class taken : unsigned char { slot, no_memory, no_mutator };

struct slot_or_why {
    void* slot = nullptr;
    taken what = taken::slot;
};

/// The first slot of the next run of the layout.
[[nodiscard]] slot_or_why take_slot(unsigned layout) noexcept;
[[nodiscard]] slot_or_why take_large(std::size_t bytes, gc_kind kind) noexcept;

/// Asks for a cycle if one is due. Returns what is to be done before the allocation.
[[nodiscard]] pace look_at_pace() noexcept;

}  // namespace weft::detail
