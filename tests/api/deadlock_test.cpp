// When nothing can ever run again: said, and only then.
#include "support/child.hpp"
#include "support/dump.hpp"
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_base_of_v<std::runtime_error, deadlock>);

// Two coroutines, each a child of the scope that the other one waits for.
class embrace {
public:
    scope a;
    scope b;

    // Neither scope may go while anybody is in its join().
    ~embrace() {
        const no_cancel to_the_end;
        a.cancel();
        b.cancel();
        a.join();
        b.join();
    }

    static constexpr int first_line = __LINE__;
    void begin() {
        a.go({.name = "first"}, [this] {
            wait_until([this] { return begun_.load(); });
            b.join();
        });
        b.go({.name = "second"}, [this] { a.join(); });
        begun_ = true;
    }
    static constexpr int last_line = __LINE__;

private:
    std::atomic<bool> begun_{false};
};

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class Deadlock : public with_runtime {
protected:
    // Who waits, for what, and where it comes from.
    static void names_everybody(const std::string& text) {
        EXPECT_PRED2(holds, text, "deadlock");
        EXPECT_EQ(text.rfind("weft: deadlock: every coroutine waits, ", 0), 0u) << text;
        const dump_blocks all(text);
        for (const char* const name : {"first", "second"}) {
            const dump_block& one = all.named(name);
            EXPECT_TRUE(one.status().starts_with("scope::join 0x")) << name << " in: " << text;
            EXPECT_TRUE(
                (line_range{"deadlock_test.cpp", embrace::first_line, embrace::last_line}.named_in(
                    one.created_at)))
                << text;
#if WEFT_TEST_HAS_NAMES
            EXPECT_TRUE(one.shows("join()")) << text;
#endif
        }
        EXPECT_FALSE(all.named("main").head.empty()) << text;
    }
};
WEFT_TEST_PROCESSORS(Deadlock);

TEST_P(Deadlock, EndsTheProcessWithStatusTwoBehindAReport) {
    const child_result child = run_child([] {
        return run([] {
            embrace e;
            e.begin();
            e.a.join();
        });
    });
    EXPECT_EQ(child.exit_status, 2) << child.err;
    names_everybody(child.err);
}

TEST_P(Deadlock, IsThrownInMainWhenAskedFor) {
    std::string what;
    const int value = run(
        [&] {
            embrace e;
            e.begin();
            try {
                e.a.join();
            } catch (const deadlock& d) {
                what = d.what();
            }
            return 9;
        },
        {.on_deadlock = deadlock_action::throw_in_main});
    EXPECT_EQ(value, 9);
    names_everybody(what);
}

TEST_P(Deadlock, ThatLeavesMainLeavesRun) {
    EXPECT_THROW(run(
                     [] {
                         embrace e;
                         e.begin();
                         e.a.join();
                     },
                     {.on_deadlock = deadlock_action::throw_in_main}),
                 deadlock);
}

TEST_P(Deadlock, MayHappenAgainAndAgain) {
    run(
        [] {
            for (int i = 0; i != 3; ++i) {
                embrace e;
                e.begin();
                EXPECT_THROW(e.a.join(), deadlock);
            }
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

TEST_P(Deadlock, IsThrownInNoCancelToo) {
    run(
        [] {
            embrace e;
            e.begin();
            const no_cancel deaf;
            EXPECT_THROW(e.a.join(), deadlock);
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

TEST_P(Deadlock, InADestructorEndsTheProcessForNothingMayBeThrownThere) {
    const child_result child = run_child([] {
        return run(
            [] {
                scope s;
                s.go({.name = "deaf"}, [&s] {
                    const no_cancel deaf;
                    s.join();
                });
            },
            {.on_deadlock = deadlock_action::throw_in_main});
    });
    EXPECT_EQ(child.exit_status, 2) << child.err;
    EXPECT_EQ(
        child.lines_with("weft: cycle: coroutine 2 'deaf' waits in scope::join for itself").size(),
        1u)
        << child.err;
    EXPECT_EQ(child.lines_with("'deaf' [scope::join 0x").size(), 1u) << child.err;
}

TEST_P(Deadlock, IsIgnoredWhenAskedFor) {
    const child_result child = run_child(
        [] {
            return run(
                [] {
                    embrace e;
                    e.begin();
                    e.a.join();
                },
                {.on_deadlock = deadlock_action::ignore});
        },
        {.seconds = 2});
    EXPECT_EQ(child.signal, SIGALRM) << child.err;
    EXPECT_EQ(child.err, "");
}

// The time that passes gives a wrong verdict its chance; the tests hold whatever the clock does.
constexpr auto a_while = 30ms;

TEST_P(Deadlock, IsNotDeclaredWhileATimerIsPending) {
    run([] {
        embrace e;
        e.begin();
        go([&] {
            sleep_for(a_while);
            e.a.cancel();
        });
        e.a.join();
    });
}

TEST_P(Deadlock, IsNotDeclaredWhileABlockingCallIsInProgress) {
    run([] {
        embrace e;
        e.begin();
        go([&] {
            blocking([] { std::this_thread::sleep_for(a_while); });
            e.a.cancel();
        });
        e.a.join();
    });
}

TEST_P(Deadlock, IsNotDeclaredWhileAForeignThreadIsAlive) {
    std::thread foreign;
    run([&] {
        embrace e;
        e.begin();
        foreign = std::thread([&] {
            std::this_thread::sleep_for(a_while);
            e.a.cancel();
        });
        e.a.join();
        foreign.join();
    });
}

TEST_P(Deadlock, IsNotDeclaredUnderARuntimeForItsOwnerIsAForeignThread) {
    runtime up(with_processors());
    embrace e;
    e.begin();
    auto waiter = up.submit([&] { e.a.join(); });
    std::this_thread::sleep_for(a_while);
    e.a.cancel();
    waiter.get();
}

TEST_P(Deadlock, IsDeclaredWhenTheLastToWaitHoldsAThreadLock) {
    run(
        [] {
            const thread_lock stay;
            embrace e;
            e.begin();
            for (int i = 0; i != 5; ++i) yield();
            EXPECT_THROW(e.a.join(), deadlock);
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

// What nothing will come of any more is no reason to wait for its time: the report would be an hour late.
TEST_P(Deadlock, IsDeclaredWhateverCancelledTimersAreLeft) {
    run(
        [] {
            with_timeout(1h, [] {});
            auto sleeper = spawn([] { sleep_for(1h); });
            yield();
            sleeper.request_stop();
            EXPECT_THROW(sleeper.join(), coroutine_cancelled);
            embrace e;
            e.begin();
            EXPECT_THROW(e.a.join(), deadlock);
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

// Forgotten timers lie in front of each other, in several heaps, some swept and some not.
TEST_P(Deadlock, IsDeclaredHoweverManyCancelledTimersAreLeft) {
    run(
        [] {
            std::vector<timer> timers;
            scope s;
            for (int part = 0; part != 4; ++part) {
                s.go([] {
                    std::vector<timer> mine;
                    for (int i = 0; i != 500; ++i) mine.emplace_back(1h + 1ms * (i * 37 % 500));
                    for (int i = 0; i != 500; ++i)
                        mine[static_cast<std::size_t>(i * 7 % 500)].stop();
                });
            }
            s.join();
            // Too few to be swept by whoever forgets them.
            for (int i = 0; i != 60; ++i) timers.emplace_back(2h + 1ms * (i * 37 % 60));
            for (int i = 0; i != 60; ++i) timers[static_cast<std::size_t>(i * 7 % 60)].stop();
            embrace e;
            e.begin();
            EXPECT_THROW(e.a.join(), deadlock);
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

TEST_P(Deadlock, IsDeclaredOnceTheForeignThreadHasGone) {
    run(
        [] {
            embrace e;
            e.begin();
            std::thread([] { std::this_thread::sleep_for(a_while); }).detach();
            EXPECT_THROW(e.a.join(), deadlock);
        },
        {.on_deadlock = deadlock_action::throw_in_main});
}

}  // namespace
}  // namespace weft::test
