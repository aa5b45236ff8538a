// A local heap: what one processor, or one attached thread, allocates from.
//
// It has a run for each layout, the *current span* that the run comes from, and free pages of one
// chunk for the next spans.
//
// Ownership. The machine that holds the processor, or the attached thread, owns the heap and its
// current spans: nobody else touches their N and A bits, nor sweeps them. A span is in exactly one
// of these places:
//   current       of one local heap and layout
//   central list  of its layout: swept, and has room
//   nobody's      full; or due for sweeping, and then the sweep finds it by the page table
// A heap gives a current span up when the span has no free slot left, by forgetting it: from then
// on the span is nobody's.
//
// begin_black() and end_cycle() are the heap's part in two handshakes. The owner calls them,
// perhaps in a signal handler that has interrupted it; or the collector does, for an owner that
// does not run and cannot begin to. They take no lock and allocate nothing. They may come between
// any two instructions of gc_allocate(), but never during refill(), allocate_large(),
// make_local_heap() or give_local_heap(): the caller puts its answer off until those have returned.
//
// gc_allocate() is  c = cursor; n = c + size; cursor = n.  An interruption before the store finds
// the slot c in [cursor, end), so begin_black() makes it black and end_cycle() leaves it in use.
// After the store the slot is white, and its address is in a register, which the same handshake
// scans. end_cycle() must keep the runs, because the interrupted allocation is about to store a
// cursor. The rest of a run carries N, which becomes A, so nobody is given its slots a second time.
#pragma once

#include "base/cache_line.hpp"
#include "base/relaxed.hpp"
#include "gc/heap/arena.hpp"

#include <array>
#include <cstdint>

namespace weft::detail {

struct alignas(cache_line) local_heap : gc_local_head {
    struct current_span {
        relaxed<page_number> page{no_page};
        relaxed<std::uint16_t> position{
            0};  // Slots before it have been looked at since the span was swept.
        relaxed<std::uint8_t> needs_zero{0};
    };

    relaxed<bool> black{false};  // Slots that are handed out get N.
    relaxed<std::uint8_t> epoch{
        1};  // Stamped on spans made here. Adopted in end_cycle(), never before.
    std::array<current_span, gc_layouts> current{};

    // Free pages of one chunk, taken from the page heap.
    relaxed<std::uint32_t> cached_chunk{0};
    relaxed<std::uint32_t> cached_free{0};
    relaxed<std::uint32_t> cached_dirty{0};

    relaxed<local_heap*> next{nullptr};       // Of all there are;
    relaxed<local_heap*> next_free{nullptr};  // of those without an owner.
    relaxed<bool> in_use{false};
};

/// Returns a heap without spans, or null when memory ends. Its memory stays a local heap until
/// close_heap(). It is not black and has the present epoch. While a collection is between its
/// second and its last handshake, the caller must call begin_black() on it before it allocates, and
/// must add it to the heaps that the last handshake is for, in one step under the lock under which
/// handshakes begin. Otherwise start_sweep() would meet a heap that has not adopted the epoch.
[[nodiscard]] local_heap* make_local_heap() noexcept;

/// The lock under which heaps are made and given back, around a fork().
void lock_local_heaps() noexcept;
void unlock_local_heaps() noexcept;

/// Takes the heap back: others may use the free slots of its spans, and its pages go back to the
/// page heap. Under the same lock.
void give_local_heap(local_heap& heap) noexcept;

/// Second handshake of a collection: the heap allocates black from here on. Async-signal-safe.
void begin_black(local_heap& heap) noexcept;

/// Last handshake: the heap adopts the present epoch, allocates white again, and sweeps its current
/// spans. Does nothing if it has adopted the epoch already. Async-signal-safe; with a current span
/// for each of the 78 layouts it takes about 2 us.
void end_cycle(local_heap& heap) noexcept;

/// Gives the memory of all local heaps back: close_heap().
void release_local_heaps() noexcept;

/// In builds with assertions: aborts unless each heap in use has adopted the present epoch.
void assert_all_adopted() noexcept;

}  // namespace weft::detail
