// Declared blocking calls: the processor goes on without the coroutine.
//
// Three ways, by what is known of the call:
//   elsewhere   The coroutine parks, and one of the *blocking threads* runs the call and readies it (blocking_threads.hpp).
//               The machine goes on with the next coroutine at once: no processor changes hands, and no more
//               machines than processors are ever awake for this.
//   in place    Where the calls of this site have mostly been over within 10 us, a thread for each would cost more than
//               they do. The machine keeps its processor and shows that it is in a call; if it still is when the
//               monitor has seen it for 20 us, the monitor takes the processor from it, and the site counts
//               as slow from then on.
//   locked      A coroutine with a thread_lock stays on its thread, and no other may run there: it gives the
//               processor away and runs the call in place.
//
// Edge *call*. The machine stores its call's number in the processor with release; whoever takes it back to 0 by CAS
// has the processor. The machine's CAS succeeds: it goes on as if nothing had been. The monitor's: it acquires what the
// machine did to the processor's queues, and offers it to the idle ones; the machine queues for another.
//
// Rejected: to hand the processor to another machine for every call, as was done first. Each call then wakes a thread
// on the way in, and on the way out the coroutine waits for a processor in the global queue while its thread goes to
// sleep. Taking it back by the monitor only, after 20 us, would hold up a processor for that long, and a
// monitor's look more, with every call that is slow.
#pragma once

#include <cstdint>

namespace weft::detail {

struct processor;

/// Takes `p` from the machine in call number `call`, if it still is; from then on it is the caller's, to offer to others
/// (offer_processor), and the call counts as one of `blocking_calls`. The monitor and the collector.
bool take_from_call(processor& p, std::uint64_t call) noexcept;

/// The same for a call that has taken too long: its site counts as slow, and the processor is offered. The monitor only.
bool retake_processor(processor& p, std::uint64_t call) noexcept;

}  // namespace weft::detail
