// Asking all mutators for something, and waiting until each has done it. Nobody waits but the collector.
//
// Who answers for a processor:
//   its holder, on its scheduler stack, before it runs another coroutine       find_work() compares numbers
//   its holder, when the coroutine comes by a safepoint                        `collector` in the thread block; in code for split
//                                                                              stacks any prologue, by a poisoned limit
//   its holder, in a signal handler                                            after 100 us, when the coroutine does neither
//   the collector                                                              for one that is idle, out of use, or lent to a
//                                                                              blocking call in place, which it is taken from
// One that changes hands is found in one of these places sooner or later, so the collector asks again until each has
// answered.
//
// The handler acts if it knows which stacks the interrupted code has been on: the coroutine's own, or what of the thread's own
// the runtime uses on its behalf. Otherwise, in the middle of a switch, in assembly that changes stacks, or in what must not
// be disturbed (gc_busy), it does nothing, and the thread comes by the scheduler soon, or is interrupted again.
#pragma once

#include "gc/registry.hpp"
#include "os/nudge.hpp"

namespace weft::detail {

struct coroutine;
struct machine;

/// Asks, and returns when all mutators have answered. `asked.number` is set. `meanwhile` as in publish_request().
void handshake(gc_request& asked, void (*meanwhile)() noexcept = nullptr) noexcept;

/// The holder's answer, on its scheduler stack: collector_hooks::answer.
void answer_here(machine& m, coroutine* visitor) noexcept;

/// An attached thread's, where it makes an object. No effect on others.
void answer_attached() noexcept;

/// The answer of whatever the calling thread was at: the hook for nudges.
void answer_interrupted(const interrupted& where) noexcept;

}  // namespace weft::detail
