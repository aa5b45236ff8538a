// Destructors: which are due, in which order, and how their objects live until they have run.
//
// A dead object with a destructor is *revived* for one more cycle, with all that it reaches. So its destructor may use
// every pointer that it has, send, park, and make the object reachable again. The memory goes in the cycle after. Each
// destructor runs once, because its type moves out of the trailer into the entry of the queue.
//
// The order is outermost first: an object that reaches another one, by whatever way, is destroyed before it, unless
// they reach each other. One depth-first walk gives that order. Take an edge u -> v where v does not lead back to u.
// The walk finishes v before u: either it has visited v before u, and then it has finished v, because v does not reach
// u; or it visits v from u. So the reverse of the order of finishing is a topological order, with the members of a
// cycle beside each other. The walk starts from the dead objects by rising address, which decides where it enters a
// cycle.
//
// The walk keeps its way in pages of its own, 16 bytes for each object between the start and the one at hand: a list of
// a million destructible nodes needs 16 MB for a moment. If the kernel refuses that memory, what lies deeper is marked
// in any order: it lives, and its destructors run without an order.
//
//     batch of a cycle    [ innermost ... outermost ]  left --> run_next_destructor() takes from here
//
// Invariant: an object whose destructor is due, or runs, is alive.
//   Kept by     order_dead(), which marks it in its own cycle; for_each_pending(), which makes it a root of later ones;
//               and the coroutine that takes an entry, which shades the object as it moves from a root to a stack.
//   Relied on   by every destructor.
//   Checked by  tests/gc/destructors_test.cpp, with freed slots poisoned.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

class marker;
struct gc_type;

/// After marking, when the dead weak pointers have been cleared: marks the dead objects whose destructors are due,
/// and what they reach, and queues their destructors, and behind them the cleanups of this cycle. Returns how many
/// entries are new. The marker has to drain behind it. Collector only.
std::size_t order_dead(marker&) noexcept;

/// Runs a destructor, or a cleanup, on the calling coroutine. Returns false, and has done nothing, if none is due.
/// Any number of coroutines at once. What the destructor throws leaves it, and it counts as run.
bool run_next_destructor();

[[nodiscard]] std::uint64_t destructors_run() noexcept;
/// Objects whose destructors have not returned; cleanups do not count.
[[nodiscard]] std::uint64_t destructors_pending() noexcept;

/// A destructor or a cleanup that is being run.
struct running_destructor {
    const gc_type* type = nullptr;  // Null: a cleanup.
    std::int64_t since_ns = 0;      // 0: none runs.
};
/// The one that began first.
[[nodiscard]] running_destructor oldest_running_destructor() noexcept;

/// The lock of the queue, around a fork().
void lock_destructors() noexcept;
void unlock_destructors() noexcept;

/// Before the heap is unmapped: what is due will not run. None runs.
void forget_destructors() noexcept;

/// Calls f(argument, object) for each object whose destructor is due or runs. Under a short lock.
void visit_pending(void (*f)(void* argument, const void* object), void* argument) noexcept;

/// Calls f(const void*) for each object whose destructor is due or runs. They are roots. The collector.
template <class F>
void for_each_pending(F&& f) {
    auto visit = [&f](const void* object) { f(object); };
    visit_pending([](void* argument,
                     const void* object) { (*static_cast<decltype(visit)*>(argument))(object); },
                  &visit);
}

}  // namespace weft::detail
