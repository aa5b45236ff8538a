// Each place where a program may have the only pointer to an object: collections don't free it.
#include "gc/held.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/gc.hpp>

#include <gtest/gtest.h>

#include <alloca.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <poll.h>
#include <time.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class GcHolders : public with_runtime {};

// A coroutine that waits for `go` with what `body` holds.
template <class Body>
void expect_held_while_parked(Body body) {
    chan<void> ready;
    chan<void> go;
    gc::weak<thing> w;
    auto holder = weft::spawn([&] { body(w, ready, go); });
    static_cast<void>(ready.recv());
    for (int i = 0; i != 3; ++i) {
        collect_twice();
        EXPECT_TRUE(is_there(w));
    }
    go.send();
    holder.join();
}

void wait_for(chan<void>& ready, chan<void>& go) {
    ready.send();
    static_cast<void>(go.recv());
}

TEST_P(GcHolders, AFrameThatIsParked) {
    run([] {
        expect_held_while_parked([](gc::weak<thing>& w, chan<void>& ready, chan<void>& go) {
            thing* volatile held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            wait_for(ready, go);
            EXPECT_EQ(held->value, 42);
        });
    });
}

TEST_P(GcHolders, AFrameBelowABorrowedStack) {
    run([] {
        expect_held_while_parked([](gc::weak<thing>& w, chan<void>& ready, chan<void>& go) {
            thing* volatile held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            weft::on_big_stack([&] { weft::on_big_stack([&] { wait_for(ready, go); }, 300'000); });
            EXPECT_EQ(held->value, 42);
        });
    });
}

TEST_P(GcHolders, MemoryOfAlloca) {
    run([] {
        expect_held_while_parked([](gc::weak<thing>& w, chan<void>& ready, chan<void>& go) {
            auto** const memory = static_cast<thing**>(alloca(20'000));
            std::fill_n(memory, 2500, nullptr);
            asm volatile("" : : "r"(memory) : "memory");
            w = hold_in([&](thing* t) { memory[1000] = t; });
            wait_for(ready, go);
            EXPECT_EQ(memory[1000]->value, 42);
        });
    });
}

TEST_P(GcHolders, PointersIntoTheMiddleAndOnePastTheEnd) {
    run([] {
        expect_held_while_parked([](gc::weak<thing>& w, chan<void>& ready, chan<void>& go) {
            int* volatile inside = nullptr;
            w = hold_in([&](thing* t) { inside = &t->value; });
            wait_for(ready, go);
            EXPECT_EQ(*inside, 42);
        });
        auto numbers = gc::make_array<int>(8);
        const gc::weak<int> w{gc::ptr<int>(&numbers[0])};
        int* volatile end = &numbers[0] + 8;
        numbers = nullptr;
        collect_twice();
        EXPECT_NE(w.lock(), nullptr);
        EXPECT_NE(end, nullptr);
    });
}

TEST_P(GcHolders, BlockingCalls) {
    for (const bool locked : {false, true}) {
        run([locked] {
            std::atomic<int> stage{0};
            gc::weak<thing> w;
            auto holder = weft::spawn([&] {
                std::optional<thread_lock> lock;
                if (locked) lock.emplace();
                thing* held = nullptr;
                w = hold_in([&](thing* t) { held = t; });
                asm volatile("" : "+r"(held));
                // Often and short at first, so that it is made in place.
                for (int i = 0; i != 50; ++i) {
                    weft::blocking([] { std::this_thread::sleep_for(1us); });
                }
                weft::blocking([&] {
                    stage = 1;
                    while (stage != 2) std::this_thread::sleep_for(100us);
                });
                asm volatile("" : "+r"(held));
                EXPECT_EQ(held->value, 42);
            });
            wait_until([&] { return stage == 1; });
            for (int i = 0; i != 3; ++i) {
                collect_twice();
                EXPECT_TRUE(is_there(w));
            }
            stage = 2;
            holder.join();
        });
    }
}

#if defined(__x86_64__)
// In a register that no call saves before it is needed.
TEST_P(GcHolders, ARegisterOfALoopWithoutCalls) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    run([] {
        std::atomic<int> stage{0};
        gc::weak<thing> w;
        auto holder = weft::spawn([&] {
            thing* held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            overwrite_stack();
            // All ones but for the register: nothing else has the pointer.
            std::uint64_t hidden = ~reinterpret_cast<std::uint64_t>(held);
            held = nullptr;
            asm volatile("" : "+r"(hidden), "+r"(held));
            asm volatile("movq %[hidden], %%xmm7\n\t"
                         "pcmpeqd %%xmm6, %%xmm6\n\t"
                         "pxor %%xmm6, %%xmm7\n\t"
                         "movl $1, %[stage]\n"
                         "1:\n\t"
                         "pause\n\t"
                         "cmpl $2, %[stage]\n\t"
                         "jne 1b\n\t"
                         "pxor %%xmm6, %%xmm7\n\t"
                         "movq %%xmm7, %[hidden]"
                         : [hidden] "+r"(hidden), [stage] "+m"(stage)
                         :
                         : "xmm6", "xmm7", "memory");
            EXPECT_EQ(reinterpret_cast<thing*>(~hidden)->value, 42);
        });
        std::thread outside([&] {
            while (stage != 1) std::this_thread::yield();
            for (int i = 0; i != 3; ++i) {
                gc::collect();
                EXPECT_TRUE(is_there(w));
            }
            stage = 2;
        });
        holder.join();
        weft::blocking([&] { outside.join(); });
    });
}
#endif

TEST_P(GcHolders, CallsThatBlockUndeclared) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    run([] {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        std::mutex taken;
        taken.lock();
        std::atomic<int> inside{0};
        gc::weak<thing> w;
        gc::weak<thing> v;
        auto reader = weft::spawn([&] {
            thing* volatile held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            char byte = 0;
            ++inside;
            EXPECT_EQ(::read(ends[0], &byte, 1), 1) << "EINTR?";
            EXPECT_EQ(held->value, 42);
        });
        auto locker = weft::spawn([&] {
            thing* volatile held = nullptr;
            v = hold_in([&](thing* t) { held = t; });
            ++inside;
            taken.lock();
            taken.unlock();
            EXPECT_EQ(held->value, 42);
        });
        wait_until([&] { return inside == 2; });
        for (int i = 0; i != 3; ++i) {
            collect_twice();
            EXPECT_TRUE(is_there(w));
            EXPECT_TRUE(is_there(v));
        }
        taken.unlock();
        ASSERT_EQ(::write(ends[1], "x", 1), 1);
        reader.join();
        locker.join();
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

TEST_P(GcHolders, Channels) {
    run([] {
        chan<thing*> cells(2);
        auto w = hold_in([&](thing* t) { cells.send(t); });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        EXPECT_EQ((*cells.recv())->value, 42);

        struct large {
            gc::ptr<thing> first;
            std::array<char, 100> filler{};
        };
        chan<large> boxes(2);
        w = hold_in([&](thing* t) { boxes.send(large{gc::ptr<thing>(t), {}}); });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        EXPECT_EQ(boxes.recv()->first->value, 42);

        chan<gc::ptr<thing>> rendezvous;
        std::atomic<bool> sends{false};
        auto sender = weft::spawn([&] {
            gc::ptr<thing> mine;
            w = hold_in([&](thing* t) { mine = gc::ptr<thing>(t); });
            sends = true;
            rendezvous.send(std::move(mine));
        });
        wait_until([&] { return sends.load(); });
        for (int i = 0; i != 10; ++i) weft::yield();
        collect_twice();
        EXPECT_TRUE(is_there(w));
        EXPECT_EQ((*rendezvous.recv())->value, 42);
        sender.join();
    });
}

template <std::size_t Size>
void expect_held_by_closure() {
    std::array<char, Size> filler{};
    std::atomic<bool> ran{false};
    gc::weak<thing> w;
    {
        // It can't run before: whoever spawns it does not let others run, and collects on a thread of its own.
        const no_preempt here;
        auto child = hold_in([&](thing*) {});
        std::optional<join_handle<void>> later;
        w = hold_in([&](thing* t) {
            later.emplace(weft::spawn([t, filler, &ran] {
                EXPECT_EQ(t->value, 42 + filler[0]);
                ran = true;
            }));
        });
        std::thread outside([] {
            gc::collect();
            gc::collect();
        });
        outside.join();
        EXPECT_TRUE(ran || is_there(w));
        later->join();
    }
}

TEST_P(GcHolders, ClosuresThatHaveNotRun) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    run([] {
        expect_held_by_closure<1>();
        expect_held_by_closure<40>();
        expect_held_by_closure<57>();
        expect_held_by_closure<4000>();
    });
}

TEST_P(GcHolders, ResultsThatNobodyHasTaken) {
    run([] {
        gc::weak<thing> w;
        auto done = weft::spawn([&] {
            thing* result = nullptr;
            w = hold_in([&](thing* t) { result = t; });
            return result;
        });
        for (int i = 0; i != 20; ++i) weft::yield();
        for (int i = 0; i != 3; ++i) {
            collect_twice();
            EXPECT_TRUE(is_there(w));
        }
        EXPECT_EQ(done.join()->value, 42);
    });
}

weft::local<gc::ptr<thing>> of_coroutine;

TEST_P(GcHolders, LocalsTimersAndSets) {
    run([] {
        auto w = hold_in([&](thing* t) { of_coroutine.set(gc::ptr<thing>(t)); });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        of_coroutine.set(nullptr);

        chan<int> fired(1);
        std::optional<timer> later;
        w = hold_in([&](thing* t) {
            later.emplace(1h, [p = gc::ptr<thing>(t), &fired] { fired.send(p->value); });
        });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        later->reset(0ms);
        EXPECT_EQ(fired.recv(), 42);

        select_set set;
        chan<gc::ptr<thing>> out(1);
        w = hold_in([&](thing* t) { set.add(on_send(out, gc::ptr<thing>(t), [] {})); });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        set.wait();
        EXPECT_EQ((*out.recv())->value, 42);
    });
}

TEST_P(GcHolders, RootsInMemoryOfMalloc) {
    run([] {
        auto in_vector = std::make_unique<std::vector<gc::root<thing>>>();
        auto w = hold_in([&](thing* t) { in_vector->emplace_back(gc::ptr<thing>(t)); });
        collect_twice();
        EXPECT_TRUE(is_there(w));
        EXPECT_EQ(in_vector->front()->value, 42);
    });
}

TEST_P(GcHolders, AttachedThreads) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    run([] {
        std::atomic<int> stage{0};
        gc::weak<thing> w;
        std::thread outside([&] {
            const gc::attach here;
            thing* volatile held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            overwrite_stack();
            stage = 1;
            while (stage != 2) ::poll(nullptr, 0, 1);
            EXPECT_EQ(held->value, 42);
            gc::collect();
            EXPECT_EQ(held->value, 42);
        });
        wait_until([&] { return stage == 1; });
        for (int i = 0; i != 3; ++i) {
            collect_twice();
            EXPECT_TRUE(is_there(w));
        }
        stage = 2;
        weft::blocking([&] { outside.join(); });
    });
}

TEST_P(GcHolders, WhatNobodyHoldsGoes) {
    run([] {
        std::vector<gc::weak<thing>> all;
        for (int i = 0; i != 200; ++i) all.push_back(hold_in([](thing*) {}));
        collect_twice();
        int left = 0;
        for (const auto& w : all) left += is_there(w) ? 1 : 0;
        EXPECT_LT(left, 10);
    });
}

WEFT_TEST_PROCESSORS(GcHolders);

}  // namespace
}  // namespace weft::test
