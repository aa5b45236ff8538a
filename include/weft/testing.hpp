// Deterministic tests of concurrent code: a seeded scheduler with virtual time.
#pragma once

#include <weft/clock.hpp>
#include <weft/detail/call_site.hpp>
#include <weft/exceptions.hpp>
#include <weft/runtime.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace weft::testing {

/// Thrown by explore(): names the failing seed; the cause is nested in it (std::rethrow_if_nested).
class failure : public std::runtime_error {
public:
    failure(std::uint64_t seed, const std::string& what) : std::runtime_error(what), seed_(seed) {}
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

private:
    std::uint64_t seed_;
};

}  // namespace weft::testing

namespace weft::detail {

/// `processors`: 0 for the bag.
void simulate_main(std::uint64_t seed, unsigned processors, void (*main)(void*), void* argument,
                   const call_site& where);
void compute(std::chrono::nanoseconds d);
[[noreturn]] void throw_failure(std::uint64_t seed);

}  // namespace weft::detail

namespace weft::testing {

/// Where coroutines that can run wait in a simulation.
enum queue_kind : std::uint8_t {
    chance,  ///< Any may be next: to find what goes wrong in rare orders.
    real,    ///< The scheduler's own queues, of several processors: to see who waits how long.
};

struct simulate_options {
    queue_kind queues = chance;
    unsigned processors = 1;  ///< With `real`: 1 to 1,024. With `chance` there is one.
};

}  // namespace weft::testing

namespace weft::detail {

/// 0 for the bag.
[[nodiscard]] unsigned simulated_processors_of(const testing::simulate_options& how);

}  // namespace weft::detail

namespace weft::testing {

/// Runs `f` as the first coroutine of a runtime made for it: one processor, one thread (the caller's),
/// a choice by `seed` at every scheduling point, and virtual time. The same seed replays the same
/// schedule, as long as `f` itself is deterministic. Every runtime operation, contended or not, and
/// every checkpoint() is a scheduling point; waiters stay first-in first-out; blocking() runs in place.
///
/// To be called from a plain thread while no runtime is up, else std::logic_error. Foreign threads are kept
/// out meanwhile: std::logic_error where they spawn, and no effect where nothing may be thrown; they see
/// real time. Exceptions leave it; so does weft::deadlock when nothing can
/// run, no timer is pending and `f` has not returned. Coroutines that are still alive when `f` has
/// returned are cancelled and joined; one that can't be (it waits where nothing cancels) is dropped
/// without unwinding its stack, and a handle outside finds it cancelled.
///
/// With `real` queues there are `processors`, still on one thread: the scheduler is the real one, with its queues, thieves
/// and time slices, and only the threads and the time are simulated. A runtime operation takes some tens of nanoseconds, to
/// go to another coroutine up to a hundred, to wake an idle processor some microseconds: the seed says how much. The
/// program says by compute() how long its own work takes. A blocking() call still runs in place, but compute() in it
/// takes no processor, and after it the coroutine waits for one. So the time at which something happens is exact, and the
/// same in each run: a test may well say that the last of a thousand has begun after 13 ms.
/// std::invalid_argument for a number of processors that can't be.
template <class F>
void simulate(std::uint64_t seed, F&& f, simulate_options how = {},
              call_site where = call_site::current()) {
    using call = std::remove_reference_t<F>;
    call* const callee = std::addressof(f);
    detail::simulate_main(
        seed, detail::simulated_processors_of(how),
        [](void* argument) { static_cast<void>((**static_cast<call* const*>(argument))()); },
        const_cast<call**>(&callee), where);
}
template <class F, std::same_as<call_site> Where>
void simulate(std::uint64_t seed, F&& f, Where where) {
    simulate(seed, f, simulate_options{}, where);
}

/// Computes for `d`, as a loop that calls checkpoint() all the time does: it is preempted at the end of its slice, others
/// may run meanwhile, and then it goes on. Under simulate() it takes so much virtual time (with `chance`, where no slice ends,
/// others run where a timer is due), elsewhere so much time. A cancellation point all the time. In blocking() the call takes
/// so long, and is not interrupted.
template <class Rep, class Period>
void compute(const std::chrono::duration<Rep, Period>& d) {
    detail::compute(detail::to_nanoseconds(d));
}

/// simulate() with the seeds 1 to `runs`. Throws `failure` at the first that throws.
template <class F>
void explore(unsigned runs, F&& f, simulate_options how = {},
             call_site where = call_site::current()) {
    static_cast<void>(detail::simulated_processors_of(how));  // No seed is to blame for these.
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
        try {
            simulate(seed, f, how, where);
        } catch (...) {
            detail::throw_failure(seed);
        }
    }
}
template <class F, std::same_as<call_site> Where>
void explore(unsigned runs, F&& f, Where where) {
    explore(runs, f, simulate_options{}, where);
}

}  // namespace weft::testing
