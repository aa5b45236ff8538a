// A program that has a coroutine in each kind of wait, and then stops: at a breakpoint of its own, by SIGSTOP, or by
// abort().
//   every_wait trap|stop|abort
#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <string_view>

using namespace std::chrono_literals;

// A function a wait, which is looked for by name. The empty asm keeps its frame.
#define WAITS(name, ...)                                                                           \
    [[gnu::noinline]] void in_##name {                                                             \
        __VA_ARGS__;                                                                               \
        asm volatile("" ::: "memory");                                                             \
    }

WAITS(recv(weft::chan<int>& c), (void)c.recv())
WAITS(send(weft::chan<int>& c), c.send(1))
WAITS(select(weft::chan<int>& a, weft::chan<int>& b),
      weft::select(weft::on_recv(a, [] {}), weft::on_send(b, 1)))
WAITS(mutex(weft::mutex& m), m.lock_or_cancel())
WAITS(shared(weft::shared_mutex& m), m.lock_shared_or_cancel())
WAITS(semaphore(weft::binary_semaphore& s), s.acquire())
WAITS(latch(weft::latch& l), l.wait())
WAITS(barrier(weft::barrier<>& b), b.arrive_and_wait())
WAITS(group(weft::wait_group& g), g.wait())
WAITS(sleep(), weft::sleep_for(1h))
WAITS(scope_join(weft::scope& s), s.join())
WAITS(scope_place(weft::scope& s), s.go([] {}))
WAITS(join(weft::join_handle<void>& h), h.join())
WAITS(blocking(std::binary_semaphore& s), weft::blocking([&] { s.acquire(); }))
WAITS(condition(weft::condition_variable& c, weft::mutex& m), std::unique_lock lock(m);
      c.wait(lock))

// Deep, so that a split stack has several pieces.
[[gnu::noinline]] void in_deep(int n, weft::chan<int>& c) {
    char frame[1500];
    std::memset(frame, n, sizeof(frame));
    asm volatile("" ::"r"(frame) : "memory");
    if (n == 0) {
        (void)c.recv();
    } else {
        in_deep(n - 1, c);
    }
    asm volatile("" ::"r"(frame) : "memory");
}

int main(int argc, char** argv) {
    const std::string_view end = argc > 1 ? argv[1] : "trap";
    return weft::run(
        [&] {
            weft::chan<int> never;
            weft::chan<int> other;
            std::array<weft::chan<int>, 3> ends;
            weft::mutex held;
            weft::mutex free;
            weft::shared_mutex written;
            weft::condition_variable changed;
            weft::binary_semaphore none(0);
            weft::latch closed(1);
            weft::barrier meet(2);
            weft::wait_group working;
            working.add(1);
            std::binary_semaphore gate(0);
            const std::scoped_lock locked(held, written);
            weft::scope full({.limit = 1});
            weft::scope s;
            const auto start = [&](const char* name, auto f) { s.go({.name = name}, f); };

            auto target = weft::spawn({.name = "target"}, [] { in_sleep(); });
            full.go({.name = "place"}, [&] { in_scope_place(full); });
            start("scope_join", [&] { in_scope_join(full); });
            start("recv", [&] { in_recv(never); });
            start("send", [&] { in_send(other); });
            start("select", [&] { in_select(ends[0], ends[1]); });
            start("mutex", [&] { in_mutex(held); });
            start("shared", [&] { in_shared(written); });
            start("semaphore", [&] { in_semaphore(none); });
            start("latch", [&] { in_latch(closed); });
            start("barrier", [&] { in_barrier(meet); });
            start("group", [&] { in_group(working); });
            start("condition", [&] { in_condition(changed, free); });
            start("join", [&] { in_join(target); });
            start("blocking", [&] { in_blocking(gate); });
            start("deep", [&] { in_deep(20, ends[2]); });
            weft::sleep_for(100ms);
            start("fresh", [] {});
            if (end == "abort") std::abort();
            if (end == "stop") ::raise(SIGSTOP);  // For a debugger that comes along.
            asm volatile("int3");
            std::_Exit(0);
        },
        {.processors = 1});
}
