// Waiting for what tells nobody: a std::future can be asked, or slept on by a thread.
//
// Asked, by a coroutine that sleeps in between. A thread for each would wake sooner, but it would hold one of the
// places of blocking(), on which the future itself may depend, and nothing could end its wait when the coroutine
// is cancelled.
#include <weft/go.hpp>

#include <algorithm>
#include <thread>

namespace weft::detail {
namespace {

constexpr std::int64_t pause_least_ns = 20'000;
constexpr std::int64_t pause_most_ns = 10'000'000;

}  // namespace

void await_pause::operator()() {
    if (simulated()) {
        weft::yield();
        std::this_thread::yield();  // The future's thread is a real one.
        return;
    }
    const std::int64_t pause = std::clamp(waited_ns_ / 8, pause_least_ns, pause_most_ns);
    waited_ns_ += pause;
    sleep_for(std::chrono::nanoseconds(pause));
}

}  // namespace weft::detail
