// In a file of its own, so that its seeding, which asks for the time, is no part of the stack that a select needs.
#include "chan/thread_random.hpp"

#include "base/random.hpp"
#include "base/stack_facts.hpp"
#include "os/clock.hpp"

namespace weft::detail {

[[gnu::noinline]] std::uint32_t random_on_thread(std::uint32_t bound) noexcept {
    WEFT_DEEP;
    thread_local random_source random(reinterpret_cast<std::uintptr_t>(&random) ^
                                      static_cast<std::uint64_t>(monotonic_ns()));
    return random.below(bound);
}

}  // namespace weft::detail
