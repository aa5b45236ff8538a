// rate_limiter: so many at once, and then one every so often.
//
// The bucket of tokens is a channel with a buffer: its capacity is how large a burst may be. A coroutine
// puts a token in at every tick, and drops it when the bucket is full; who wants to act takes one out,
// and waits for it when there is none. What waits for a token can be cancelled, or can wait for other
// things as well in a select, for it waits at a channel.
#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>

namespace {

using namespace std::chrono_literals;
using weft::clock;

class rate_limiter {
public:
    /// `burst` at once, and then one for each `period` that has passed.
    rate_limiter(clock::duration period, std::size_t burst) : tokens_(burst) {
        for (std::size_t i = 0; i != burst; ++i) tokens_.send();
        refill_ = weft::spawn([tokens = tokens_, period]() mutable {
            weft::ticker ticks(period);
            while (ticks.channel().recv()) static_cast<void>(tokens.try_send());  // Full: lost.
        });
    }

    /// Waits for leave to act.
    void acquire() { tokens_.recv(); }
    /// Asks for it.
    bool try_acquire() { return tokens_.try_recv() == weft::chan_status::ok; }

private:
    weft::chan<void> tokens_;
    weft::join_handle<void>
        refill_;  // Its destructor requests the stop, which ends the wait for a tick.
};

void show() {
    constexpr auto period = 20ms;
    constexpr std::size_t burst = 3, requests = 10;

    const auto begin = clock::now();
    rate_limiter limiter(period, burst);
    for (std::size_t i = 1; i <= requests; ++i) {
        limiter.acquire();
        const auto after =
            std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin);
        std::printf("request %zu after %lld ms\n", i, static_cast<long long>(after.count()));
    }

    rate_limiter hourly(1h, 1);
    const bool first = hourly.try_acquire();
    const bool second = hourly.try_acquire();
    std::printf("one an hour: %s, then %s\n", first ? "yes" : "no", second ? "yes" : "no");
}

}  // namespace

int main() {
    return weft::run([] { show(); });
}
