// A program of 0.1: the clock, timers and tickers.

#include "check.hpp"

#include <weft/clock.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/time.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <type_traits>

using namespace std::chrono_literals;

static_assert(weft::clock::is_steady);
static_assert(std::is_same_v<weft::clock::time_point, std::chrono::steady_clock::time_point>);
static_assert(std::is_same_v<weft::clock::duration,
                             std::chrono::duration<weft::clock::rep, weft::clock::period>>);

int main() {
    return weft::run([] {
        const weft::clock::time_point before = weft::clock::now();

        weft::timer timer(1ms);
        const weft::receiver<weft::clock::time_point> due = timer.channel();
        CHECK(due.recv().value() >= before + 1ms);
        CHECK(!timer.stop());
        CHECK(!timer.reset(1h) && timer.reset(2h) && timer.stop());

        weft::chan<int> called(1);
        weft::timer calls(1us, [called] { called.send(1); });
        CHECK(called.recv() == 1);

        weft::ticker ticker(1ms);
        CHECK(ticker.channel().recv() && ticker.channel().recv() && ticker.stop());
        CHECK(throws<std::invalid_argument>([] { const weft::ticker never(0ms); }));

        const weft::receiver<weft::clock::time_point> later = weft::after(1us);
        CHECK(later.recv());
        weft::timer moved = std::move(timer);
        CHECK(moved.reset(1us) == false && moved.channel().recv());
    });
}
