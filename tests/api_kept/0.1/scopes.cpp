// A program of 0.1: scopes and timeouts.

#include "check.hpp"

#include <weft/clock.hpp>
#include <weft/exceptions.hpp>
#include <weft/go.hpp>
#include <weft/join_set.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

void children() {
    std::atomic<int> sum = 0;
    weft::scope all;
    for (int i = 1; i <= 4; ++i) all.go([&sum, i] { sum += i; });
    all.go({.name = "named"}, [&] { sum += 5; });
    weft::join_handle<int> answer = all.spawn([] { return 6; });
    weft::join_handle<int> other = all.spawn({.name = "other"}, [] { return 7; });
    sum += answer.join() + other.join();
    all.join();
    CHECK(sum == 28);
}

void failure() {
    std::atomic<bool> cancelled = false;
    weft::scope both;
    both.go([&] {
        try {
            weft::sleep_for(1h);
        } catch (const weft::cancelled&) {
            cancelled = true;
            throw;
        }
    });
    both.go([] { throw std::out_of_range("on purpose"); });
    CHECK(throws<std::out_of_range>([&] { both.join(); }));
    CHECK(cancelled);
}

void limits() {
    static_assert(weft::scope_options().limit == 0);
    std::atomic<int> now = 0;
    std::atomic<int> most = 0;
    weft::scope two({.limit = 2});
    for (int i = 0; i < 8; ++i) {
        two.go([&] {
            const int here = ++now;
            if (here > most) most = here;
            weft::yield();
            --now;
        });
    }
    two.join();
    CHECK(most <= 2 && most >= 1);
}

void cancelling() {
    weft::scope some;
    some.go([] { weft::sleep_for(1h); });
    some.cancel();
    some.join();
}

void by_function() {
    int ran = 0;
    CHECK(weft::with_scope([&](weft::scope& some) {
              some.go([&] { ++ran; });
              return 3;
          }) == 3);
    weft::with_scope({.limit = 1}, [&](weft::scope& some) { some.go([&] { ++ran; }); });
    CHECK(ran == 2);
}

void timeouts() {
    CHECK(weft::with_timeout(1h, [] { return 5; }) == 5);
    weft::with_timeout(1h, [] {});
    CHECK(throws<weft::timed_out>([] { weft::with_timeout(1ms, [] { weft::sleep_for(1h); }); }));
}

void deadlines() {
    weft::with_timeout(1h, [] {
        const std::optional<weft::clock::time_point> end = weft::deadline();
        const std::optional<std::chrono::nanoseconds> left = weft::time_left();
        CHECK(end && *end > weft::clock::now() && left && *left <= 1h);
    });
}

void results() {
    weft::join_set<int> some;
    for (int i = 0; i != 3; ++i) some.spawn([i] { return i; });
    some.spawn({.name = "last"}, [] { return 3; });
    CHECK(some.size() == 4);
    int sum = 0;
    while (const std::optional<int> one = some.next()) sum += *one;
    CHECK(sum == 6);
    weft::join_set<void> nothing({.limit = 1});
    nothing.spawn([] { weft::sleep_for(1h); });
    nothing.cancel();
    CHECK(throws<weft::coroutine_cancelled>([&] { static_cast<void>(nothing.next()); }));
    const weft::join_set<void>::result more = nothing.next();
    CHECK(!more);
}

}  // namespace

int main() {
    return weft::run([] {
        children();
        failure();
        limits();
        cancelling();
        by_function();
        timeouts();
        deadlines();
        results();
    });
}
