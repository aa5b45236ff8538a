// Exceptions and forced unwinds leave segments behind one by one, and whoever goes on has the segment of its frame.
#include "split/segments.hpp"
#include "support/child.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>

#include <signal.h>
#include <unwind.h>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// Its destructor needs more than the rest of most segments.
class grows_when_destroyed {
public:
    explicit grows_when_destroyed(int& count) noexcept : count_(&count) {}
    grows_when_destroyed(const grows_when_destroyed&) = delete;
    grows_when_destroyed& operator=(const grows_when_destroyed&) = delete;
    [[gnu::noinline]] ~grows_when_destroyed() {
        ++*count_;
        touch_deeper(3'000);
    }

private:
    int* count_;
};

// Of what the compiler knows nothing, such as that it never returns.
template <class F>
[[gnu::noipa]] void call(const F& f) {
    f();
}

template <class F>
[[gnu::noinline]] long descend(int depth, int& destroyed, const F& f) {
    const grows_when_destroyed guard(destroyed);
    volatile char frame[30'000];
    frame[0] = 1;
    if (depth == 0) {
        call(f);
        return 0;
    }
    const long below = descend(depth - 1, destroyed, f);
    return below + frame[0];
}

template <class F>
[[gnu::noinline]] long descend_in_small_frames(int depth, int& destroyed, const F& f) {
    const grows_when_destroyed guard(destroyed);
    volatile char frame[150];
    frame[0] = 1;
    if (depth == 0) {
        call(f);
        return 0;
    }
    const long below = descend_in_small_frames(depth - 1, destroyed, f);
    return below + frame[0];
}

[[noreturn]] void fail() { throw std::runtime_error("deep"); }

class SplitUnwind : public plain_runtime {
protected:
    // Calls f, which throws what G is thrown for, and checks the segment before and behind.
    template <class F>
    static void caught_here(F&& f) {
        segment* const here = &newest_segment();
        bool caught = false;
        try {
            f();
        } catch (const std::runtime_error& e) {
            caught = std::string(e.what()) == "deep";
        }
        EXPECT_TRUE(caught);
        EXPECT_EQ(&newest_segment(), here);
        // With the limit of another segment this one would be left too late.
        touch_deeper(here->size() + 1'000);
        EXPECT_EQ(&newest_segment(), here);
    }
};

TEST_F(SplitUnwind, AHundredLargeFramesWhoseDestructorsGrow) {
    in_coroutine([] {
        for (const int depth : {0, 1, 3, 20, 100}) {
            int destroyed = 0;
            caught_here([&] { descend(depth, destroyed, fail); });
            EXPECT_EQ(destroyed, depth + 1);
        }
    });
}

TEST_F(SplitUnwind, FromEveryDistanceToTheEndOfASegment) {
    in_coroutine([] {
        at_every_room([] {
            int destroyed = 0;
            caught_here([&] { descend_in_small_frames(30, destroyed, fail); });
            EXPECT_EQ(destroyed, 31);
        });
    });
}

TEST_F(SplitUnwind, RethrownOnEachOfManySegments) {
    in_coroutine([] {
        int destroyed = 0;
        caught_here([&] {
            const std::function<void(int)> again = [&](int depth) {
                try {
                    descend(3, destroyed, [&] {
                        if (depth == 0) fail();
                        again(depth - 1);
                    });
                } catch (...) {
                    touch_deeper(5'000);
                    throw;
                }
            };
            again(10);
        });
        EXPECT_EQ(destroyed, 44);
    });
}

TEST_F(SplitUnwind, ThrownAgainWhileAnotherIsHandled) {
    in_coroutine([] {
        int destroyed = 0;
        caught_here([&] {
            try {
                descend(5, destroyed, [] { throw 42; });
            } catch (int) {
                // On top of the handler, with the first one still caught.
                try {
                    descend(5, destroyed, [] { throw 43; });
                } catch (int) {
                    EXPECT_EQ(destroyed, 12);
                }
                descend(5, destroyed, fail);
            }
        });
        EXPECT_EQ(destroyed, 18);
    });
}

TEST_F(SplitUnwind, CarriedToAnotherCoroutine) {
    in_coroutine(
        [] {
            int destroyed = 0;
            std::exception_ptr error;
            spawn([&] {
                try {
                    descend(5, destroyed, fail);
                } catch (...) {
                    error = std::current_exception();
                }
            }).join();
            caught_here([&] { descend(5, destroyed, [&] { std::rethrow_exception(error); }); });
            caught_here([&] { spawn([&] { descend(5, destroyed, fail); }).join(); });
            EXPECT_EQ(destroyed, 18);
        },
        {.processors = 2});
}

TEST_F(SplitUnwind, CaughtWhileItsHandlerParks) {
    in_coroutine(
        [] {
            scope all;
            for (int i = 0; i != 30; ++i) {
                all.go([] {
                    int destroyed = 0;
                    for (int n = 0; n != 10; ++n) {
                        try {
                            descend(2, destroyed, fail);
                        } catch (const std::runtime_error&) {
                            yield();
                            caught_here([&] { descend(2, destroyed, fail); });
                            yield();
                        }
                    }
                    EXPECT_EQ(destroyed, 60);
                });
            }
            all.join();
        },
        {.processors = 2});
}

int throwing_order(const void*, const void*) { fail(); }

TEST_F(SplitUnwind, ThroughTheCLibrary) {
    in_coroutine([] {
        at_every_room([] {
            int numbers[] = {3, 1, 2};
            int destroyed = 0;
            caught_here([&] {
                descend_in_small_frames(
                    5, destroyed, [&] { std::qsort(numbers, 3, sizeof(int), throwing_order); });
            });
            caught_here([&] {
                descend_in_small_frames(5, destroyed, [&] {
                    [[maybe_unused]] const void* const found =
                        std::bsearch(numbers, numbers, 3, sizeof(int), throwing_order);
                });
            });
            EXPECT_EQ(destroyed, 12);
        });
    });
}

TEST_F(SplitUnwind, ThroughCallOnce) {
    in_coroutine([] {
        std::once_flag once;
        caught_here([&] { std::call_once(once, fail); });
        int called = 0;
        std::call_once(once, [&] { called = touch_deeper(3'000); });
        EXPECT_NE(called, 0);
    });
}

TEST_F(SplitUnwind, ThroughAFunctionOnABorrowedStack) {
    in_coroutine([] {
        int destroyed = 0;
        caught_here([&] { on_big_stack([&] { descend_in_small_frames(5, destroyed, fail); }); });
        EXPECT_EQ(destroyed, 6);
    });
}

TEST_F(SplitUnwind, OutOfNoexceptTerminates) {
    const child_result child = run_child([] {
        in_coroutine([] {
            int destroyed = 0;
            descend(5, destroyed, [&]() noexcept { descend(5, destroyed, fail); });
        });
        return 0;
    });
    EXPECT_EQ(child.signal, SIGABRT) << child.err;
    EXPECT_EQ(child.lines_with("what():  deep").size(), 1u) << child.err;
}

TEST_F(SplitUnwind, OutOfTheCoroutineIsReported) {
    const child_result child = run_child([] {
        weft::run([] {
            go({.name = "thrower"}, [] {
                int destroyed = 0;
                descend(5, destroyed, fail);
            });
            sleep_for(1h);
        });
        return 0;
    });
    EXPECT_EQ(child.signal, SIGABRT) << child.err;
    EXPECT_EQ(child.lines_with("uncaught exception in coroutine").size(), 1u) << child.err;
}

// A forced unwind that turns into an ordinary return: it stops at the frame of a handler for everything, which then ends
// it. (A handler that does not throw again would be wrong under pthread_exit, which nobody may call in a coroutine.)
struct forced {
    _Unwind_Exception header{};
    int frames = 0;
};
// The segment that it runs on is being left, and the limit is that of one below: so it must not look at the limit.
[[gnu::no_split_stack]] _Unwind_Reason_Code stop_nowhere(int, _Unwind_Action,
                                                         _Unwind_Exception_Class,
                                                         _Unwind_Exception*, _Unwind_Context*,
                                                         void*);
_Unwind_Reason_Code stop_nowhere(int, _Unwind_Action, _Unwind_Exception_Class, _Unwind_Exception* e,
                                 _Unwind_Context*, void*) {
    ++reinterpret_cast<forced*>(e)->frames;
    return _URC_NO_REASON;
}

TEST_F(SplitUnwind, ForcedOverManySegments) {
    in_coroutine([] {
        segment* const here = &newest_segment();
        for (const int depth : {0, 3, 50}) {
            int destroyed = 0;
            forced unwind;
            bool ended = false;
            try {
                descend(depth, destroyed,
                        [&] { _Unwind_ForcedUnwind(&unwind.header, stop_nowhere, nullptr); });
            } catch (...) {
                ended = true;
            }
            EXPECT_TRUE(ended);
            EXPECT_EQ(destroyed, depth + 1);
            EXPECT_GT(unwind.frames, depth);
            EXPECT_EQ(&newest_segment(), here);
            touch_deeper(here->size() + 1'000);
        }
    });
}

// Cancellation, thrown out of what waits deep in a recursion.
class SplitCancel : public plain_runtime {
protected:
    template <class F>
    static void cancelled_in(const F& wait) {
        weft::run(
            [&] {
                int destroyed = 0;
                auto waiter = spawn([&] {
                    segment* const here = &newest_segment();
                    try {
                        descend(10, destroyed, wait);
                    } catch (const cancelled&) {
                        EXPECT_EQ(&newest_segment(), here);
                        touch_deeper(5'000);
                        throw;
                    }
                });
                for (int i = 0; i != 5; ++i) yield();
                waiter.request_stop();
                EXPECT_THROW(waiter.join(), coroutine_cancelled);
                EXPECT_EQ(destroyed, 11);
                wait_for_segments();
            },
            {.processors = 1});
    }
};

TEST_F(SplitCancel, InASleep) {
    cancelled_in([] { sleep_for(1h); });
}
TEST_F(SplitCancel, InAReceive) {
    const chan<int> nothing(0);
    cancelled_in([nothing] { static_cast<void>(nothing.recv()); });
}
TEST_F(SplitCancel, InASend) {
    const chan<int> nobody(0);
    cancelled_in([nobody] { nobody.send(1); });
}
TEST_F(SplitCancel, InASelect) {
    const chan<int> nothing(0);
    cancelled_in([nothing] { select(on_recv(nothing), on_timeout(1h)); });
}
TEST_F(SplitCancel, InALock) {
    mutex m;
    cancelled_in([&] {
        m.lock();
        m.unlock();
        wait_group never;
        never.add();
        never.wait();
    });
}
TEST_F(SplitCancel, InAJoin) {
    cancelled_in([] { spawn([] { sleep_for(1h); }).join(); });
}
TEST_F(SplitCancel, InACallbackOfForeignCode) {
    cancelled_in([] { foreign_shared::call_function([] { sleep_for(1h); }); });
}
TEST_F(SplitCancel, InAScope) {
    cancelled_in([] {
        scope all;
        all.go([] { sleep_for(1h); });
        all.join();
    });
}

}  // namespace
}  // namespace weft::test
