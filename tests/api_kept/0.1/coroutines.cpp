// A program of 0.1: coroutines and the runtime.

#include "check.hpp"

#include <weft/go.hpp>
#include <weft/runtime.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

using namespace std::chrono_literals;

namespace {

weft::local<int> counter;
weft::local<std::string> label(std::string("none"), weft::inheritance::copied);
weft::local<int> fresh(3, weft::inheritance::none);

int half(int whole) { return whole / 2; }

void options_have_defaults() {
    constexpr weft::options defaults;
    static_assert(defaults.processors == 0 && defaults.preempt_after == 10ms && !defaults.pin);
    static_assert(defaults.timer_slack == 50us);
    static_assert(defaults.stack_size == 256 * 1024 && defaults.max_stack == std::size_t{1} << 30);
    static_assert(defaults.gc_percent == 100 && defaults.memory_limit == 0);
    static_assert(defaults.on_deadlock == weft::deadlock_action::report_and_exit);
    static_assert(weft::deadlock_action::throw_in_main != weft::deadlock_action::ignore);
    static_assert(defaults.shutdown_grace == 5s && defaults.max_blocking == 1024 &&
                  defaults.max_compensation >= 64);
    constexpr weft::spawn_options spawning;
    static_assert(spawning.name.empty() && spawning.affinity == weft::no_affinity &&
                  spawning.stack_size == 0);
}

void handles() {
    weft::join_handle<int> answer = weft::spawn([] { return half(84); });
    CHECK(answer.joinable() && answer.get_id());
    CHECK(answer.join() == 42 && !answer.joinable());
    CHECK(throws<std::logic_error>([&] { answer.join(); }));

    weft::join_handle<std::unique_ptr<int>> owner =
        weft::spawn([] { return std::make_unique<int>(7); });
    weft::join_handle<std::unique_ptr<int>> moved = std::move(owner);
    CHECK(*moved.join() == 7);

    weft::join_handle<void> failing = weft::spawn([] { throw std::runtime_error("on purpose"); });
    CHECK(throws<std::runtime_error>([&] { failing.join(); }));

    weft::join_handle<void> sleeper = weft::spawn([] { weft::sleep_for(1h); });
    sleeper.request_stop();
    CHECK(throws<weft::coroutine_cancelled>([&] { sleeper.join(); }));

    std::atomic<int> ended = 0;
    weft::join_handle<void> alone = weft::spawn([&] { ++ended; });
    alone.detach();
    weft::go([&] { ++ended; });
    weft::go({.name = "named", .affinity = 0, .stack_size = 64 * 1024}, [&] { ++ended; });
    weft::join_handle<int> named = weft::spawn({.name = "other"}, [] { return 1; });
    while (ended != 3) weft::yield();
    CHECK(named.join() == 1);
}

void ids() {
    static_assert(!weft::id());
    const weft::id mine = weft::get_id();
    CHECK(mine && mine.value() != 0 && mine == weft::get_id() && mine != weft::id());
    CHECK(weft::id() < mine);
    CHECK(std::hash<weft::id>()(mine) == std::hash<weft::id>()(weft::get_id()));
    std::ostringstream text;
    text << mine;
    CHECK(text.str() == std::to_string(mine.value()));
}

void what_a_coroutine_does_to_itself() {
    CHECK(weft::in_coroutine());
    weft::set_name("kept");
    CHECK(weft::get_name() == "kept");
    CHECK(!weft::deadline() && !weft::time_left());
    weft::set_affinity_hint(0);
    weft::checkpoint();
    weft::sleep_for(1us);
    weft::sleep_until(weft::clock::now() + 1us);
    weft::sleep_until(std::chrono::system_clock::now());
    const std::stop_token token = weft::get_stop_token();
    CHECK(!token.stop_requested());
    const weft::no_preempt no_preempt;
    const weft::thread_lock thread_lock;
    weft::join_handle<bool> stopped = weft::spawn([] {
        const weft::no_cancel no_cancel;
        while (!weft::get_stop_token().stop_requested()) weft::yield();
        return true;
    });
    stopped.request_stop();
    CHECK(stopped.join());
    try {
        throw weft::cancelled();
    } catch (const weft::cancelled&) {}
}

void locals() {
    counter.get() = 5;
    *counter += 1;
    counter.set(*counter + 1);
    label.set("parent");
    CHECK(label->size() == 6);
    weft::spawn([] { CHECK(counter.get() == 0 && *label == "parent" && *fresh == 3); }).join();
    CHECK(counter.get() == 7);
}

void calls_elsewhere() {
    CHECK(weft::on_big_stack([] { return 1; }) == 1);
    int there = 0;
    int& reference = weft::on_big_stack([&]() -> int& { return there; }, 1 << 20);
    CHECK(&reference == &there);
    CHECK(weft::blocking([] {
              std::this_thread::sleep_for(1ms);
              return std::string("slept");
          }) == "slept");
    weft::blocking([] {});
    CHECK(weft::await(std::async(std::launch::async, [] { return 9; })) == 9);
    weft::await(std::async(std::launch::async, [] {}));
}

void where() {
    constexpr weft::call_site here = weft::call_site::current();
    CHECK(here.line != 0 && std::string(here.file).find("coroutines.cpp") != std::string::npos);
    weft::spawn([] {}, weft::call_site::current()).join();
#if defined(__cpp_lib_source_location)
    CHECK(weft::call_site::from(std::source_location::current()).line != 0);
#endif
}

void the_runtime() {
    const weft::runtime_stats now = weft::stats();
    CHECK(weft::processors() == 2 && now.processors == 2 && now.coroutines >= 1 &&
          now.spawned >= 1);
    CHECK(now.threads >= 1 && now.switches >= 1 && now.stack_bytes != 0);
    const std::uint64_t rest = now.runnable + now.steals + now.parks + now.preemptions +
                               now.cut_ins + now.compensations + now.unstuck + now.stalls +
                               now.handoffs + now.retakes + now.trimmed_bytes + now.timers;
    static_assert(std::is_same_v<decltype(rest), const std::uint64_t>);
}

}  // namespace

int main() {
    options_have_defaults();
    CHECK(weft::processors() == 0 && weft::stats().coroutines == 0 && !weft::in_coroutine());

    weft::options settings;
    settings.processors = 2;
    const int status = weft::run(
        [] {
            handles();
            ids();
            what_a_coroutine_does_to_itself();
            locals();
            calls_elsewhere();
            where();
            the_runtime();
            return 3;
        },
        settings);
    CHECK(status == 3);
    CHECK(weft::run([] {}) == 0);

    {
        weft::runtime object({.processors = 1});
        CHECK(object.submit([] { return 1; }).get() == 1);
        CHECK(throws<weft::coroutine_cancelled>(
            [&] { object.submit([] { throw weft::cancelled(); }).get(); }));
        CHECK(throws<std::logic_error>([] { const weft::runtime second; }));
    }
    CHECK(throws<std::logic_error>([] { weft::go([] {}); }));
    return 0;
}
