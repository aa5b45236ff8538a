// Deterministic tests of concurrent code: a seeded scheduler with virtual time.
#pragma once

#include <weft/detail/call_site.hpp>
#include <weft/exceptions.hpp>
#include <weft/runtime.hpp>

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

void simulate_main(std::uint64_t seed, void (*main)(void*), void* argument, const call_site& where);
[[noreturn]] void throw_failure(std::uint64_t seed);

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
template <class F>
void simulate(std::uint64_t seed, F&& f, call_site where = call_site::current()) {
    using call = std::remove_reference_t<F>;
    call* const callee = std::addressof(f);
    detail::simulate_main(
        seed, [](void* argument) { static_cast<void>((**static_cast<call* const*>(argument))()); },
        const_cast<call**>(&callee), where);
}

/// simulate() with the seeds 1 to `runs`. Throws `failure` at the first that throws.
template <class F>
void explore(unsigned runs, F&& f, call_site where = call_site::current()) {
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
        try {
            simulate(seed, f, where);
        } catch (...) {
            detail::throw_failure(seed);
        }
    }
}

}  // namespace weft::testing
