// A program of 0.1: the latest value, every value to everyone, and what is in <weft/extra.hpp>.

#include "check.hpp"

#include <weft/broadcast.hpp>
#include <weft/extra.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/watch.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

void latest() {
    const weft::watch<std::string> name("first");
    weft::watch_reader<std::string> reader = name.subscribe();
    CHECK(reader.next() == "first" && !reader.try_next() && !reader.next_for(1ms));
    name.set("second");
    CHECK(!reader.changed().recv());
    CHECK(reader.get() == "second" && name.get() == "second");
    name.update([](std::string& now) { now += "!"; });
    CHECK(reader.try_next() == "second!");
    CHECK(!reader.closed());
    name.close();
    CHECK(!reader.next());
    CHECK(throws<weft::channel_closed>([&] { name.set("third"); }));
}

void to_everyone() {
    const weft::broadcast<int> numbers(2, weft::when_full::drop_oldest);
    weft::subscription<int> mine = numbers.subscribe();
    CHECK(numbers.subscribers() == 1);
    for (int i = 0; i != 3; ++i) CHECK(numbers.send(i) == 1);
    CHECK(mine.missed() == 1);
    CHECK(mine.recv() == 1 && mine.try_recv() == 2 && !mine.recv_for(1ms));
    numbers.close();
    CHECK(!mine.recv());
    const weft::broadcast<int> waits(1, weft::when_full::wait);
    CHECK(waits.send(1) == 0);
}

void extras() {
    weft::singleflight<int, int> flights;
    CHECK(flights.run(1, [] { return 7; }) == 7);
    flights.forget(1);
    weft::rate_limiter limit(1'000, 2);
    limit.acquire();
    CHECK(limit.try_acquire());
    CHECK(limit.acquire_for(1h));
    int calls = 0;
    const auto fails = [&calls] {
        if (++calls < 3) throw std::runtime_error("not yet");
        return calls;
    };
    const weft::retry_options how{.attempts = 3,
                                  .first_pause = 1us,
                                  .growth = 1.5,
                                  .longest_pause = 1ms,
                                  .jitter = 0,
                                  .again = [](const std::exception&) { return true; }};
    CHECK(weft::retry(how, fails) == 3);
    CHECK(weft::retry(fails) == 4);
}

}  // namespace

int main() {
    return weft::run([] {
        latest();
        to_everyone();
        extras();
    });
}
