// Sweeping: makes free what the marker has not reached. It changes bits only, A = S | N and then
// S = B = N = 0, and does not touch objects.
//
// The collector calls, in this order:
//
//     finish_sweep()             everything is swept; so S = N = 0 everywhere
//     [first handshake]
//     begin_black(each heap)     second handshake
//     ... marking ...
//     for_each_dead_destructible()
//     advance_epoch()
//     end_cycle(each heap)       last handshake
//     start_sweep()              when all have answered; from here on anybody may sweep
//
// A span is due when its epoch is not the present one. Epochs go from 1 to 255 and round; a span is
// swept in each, so no old one can be taken for the present one. A sweeper takes a span by a CAS on
// its epoch, which stores sweep_busy, and stores the present epoch when it is done.
//
// Between advance_epoch() and start_sweep() each heap sweeps its own current spans, in end_cycle(),
// and nobody sweeps anything else. The reason is heaps that have not answered yet: they are still
// black and go on with the old epoch, which they stamp on spans they make, and those are swept
// later like all others. If such a heap swept a span, it would clear N bits and go on to set more,
// and these would outlive the cycle. In the next one unreached objects would look marked, so nobody
// would scan them, and objects that they alone point to would be freed.
//   Checked by  start_sweep(), in builds with assertions: each heap in use has adopted the epoch.
//
// The central lists are emptied in advance_epoch() because their spans are due from then on. A heap
// that has not answered may have taken a span just before: then it is current there, and
// end_cycle() sweeps it.
//
// Nobody waits for a sweeper, except finish_sweep(), which the collector alone calls: a sweeper
// that the kernel holds up delays the next cycle and no allocation.
#pragma once

#include "gc/heap/arena.hpp"

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct local_heap;

inline constexpr std::uint8_t sweep_busy = 0;

/// The epoch of spans that are swept. Any thread.
[[nodiscard]] std::uint8_t present_epoch() noexcept;

/// Sweeps all that is due, and waits for other sweepers to end. Collector only.
void finish_sweep() noexcept;

/// Makes each span due for sweeping. Collector only, after marking.
void advance_epoch() noexcept;

/// Lets anybody sweep. Collector only, after each heap has answered the last handshake.
void start_sweep() noexcept;

/// Sweeps up to `spans` spans and large objects, at least a few. Returns false when none is left to
/// take; others may still be busy with theirs. Any thread that answers handshakes, or works for the
/// collector.
bool sweep_some(unsigned spans) noexcept;

/// Sweeps the span at `page`, which the caller owns; returns how many of its slots are in use. It
/// stays the caller's.
std::uint32_t sweep_own_span(page_number page, const layout_info& info,
                             std::uint8_t epoch) noexcept;

/// Whether free slots are filled with 0xdd, so that a use after free is seen. Set before the heap
/// is used.
[[gnu::visibility("hidden")]] extern std::atomic<bool> poison_free_slots;
inline constexpr unsigned char poison_byte = 0xdd;

/// Forgets the state of the sweep: close_heap().
void reset_sweep() noexcept;

}  // namespace weft::detail
