// blocking, on_big_stack and await: leaving the coroutine's thread, stack or runtime for a while.
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Blocking : public with_runtime {};
WEFT_TEST_PROCESSORS(Blocking);

TEST_P(Blocking, ReturnsValuesReferencesAndNothing) {
    run([] {
        int target = 0;
        EXPECT_EQ(blocking([] { return std::string("value"); }), "value");
        EXPECT_EQ(&blocking([&]() -> int& { return target; }), &target);
        blocking([&] { target = 1; });
        EXPECT_EQ(target, 1);
        EXPECT_EQ(*blocking([] { return std::make_unique<int>(2); }), 2);
    });
}

TEST_P(Blocking, LetsExceptionsOut) {
    run([] {
        EXPECT_THROW(blocking([] { throw std::domain_error("blocked"); }), std::domain_error);
        EXPECT_TRUE(in_coroutine());
        yield();
    });
}

TEST_P(Blocking, TheOthersGoOnMeanwhile) {
    run([] {
        std::promise<void> released;
        std::atomic<bool> inside{false};
        auto handle = spawn([&] {
            blocking([&] {
                inside = true;
                released.get_future().wait();
            });
        });
        wait_until([&] { return inside.load(); });
        std::atomic<int> ran{0};
        scope s;
        for (int i = 0; i != 20; ++i) {
            s.go([&] {
                yield();
                sleep_for(10us);
                ++ran;
            });
        }
        s.join();
        EXPECT_EQ(ran, 20);
        released.set_value();  // Only now: the call has blocked all the time.
        handle.join();
    });
}

TEST_P(Blocking, ManyBlockAtOnce) {
    run([] {
        constexpr int callers = 20;
        std::mutex m;
        std::condition_variable all_here;
        int here = 0;
        scope s;
        for (int i = 0; i != callers; ++i) {
            s.go([&] {
                blocking([&] {
                    // Returns only when all of them block at the same time.
                    std::unique_lock lock(m);
                    if (++here == callers) all_here.notify_all();
                    all_here.wait(lock, [&] { return here == callers; });
                });
            });
        }
        s.join();
        EXPECT_EQ(here, callers);
    });
}

TEST_P(Blocking, NestedIsACallInPlace) {
    run([] {
        const auto threads = blocking([] {
            const std::thread::id outer = this_thread();
            return blocking([&] { return blocking([&] { return outer == this_thread(); }); });
        });
        EXPECT_TRUE(threads);
    });
}

TEST_P(Blocking, StaysOnOneThreadInside) {
    run([] {
        scope s;
        for (int i = 0; i != 10; ++i) {
            s.go([] {
                blocking([] {
                    const auto before = this_thread();
                    std::this_thread::yield();
                    EXPECT_EQ(before, this_thread());
                });
            });
        }
        s.join();
    });
}

TEST_P(Blocking, TheThreadCountsAsForeignInside) {
    run([] {
        blocking([] {
            EXPECT_FALSE(in_coroutine());
            EXPECT_FALSE(get_id());
        });
        EXPECT_TRUE(in_coroutine());
        EXPECT_TRUE(get_id());
    });
}

TEST_P(Blocking, WeftOperationsBlockTheThreadInside) {
    run([] {
        blocking([] {
            EXPECT_EQ(spawn([] {
                          yield();
                          return 3;
                      }).join(),
                      3);
            const auto before = std::chrono::steady_clock::now();
            sleep_for(1ms);
            EXPECT_GE(std::chrono::steady_clock::now() - before, 1ms);
            scope s({.limit = 1});
            for (int i = 0; i != 5; ++i) s.go([] { yield(); });
            s.join();
            yield();
            checkpoint();
        });
    });
}

TEST_P(Blocking, IsNotInterruptible) {
    run([] {
        std::promise<void> released;
        std::atomic<bool> inside{false};
        std::atomic<bool> completed{false};
        auto handle = spawn([&] {
            blocking([&] {
                inside = true;
                released.get_future().wait();
                sleep_for(1us);
                completed = true;
            });
            EXPECT_THROW(checkpoint(), cancelled);
        });
        wait_until([&] { return inside.load(); });
        handle.request_stop();
        released.set_value();
        handle.join();
        EXPECT_TRUE(completed);
    });
}

TEST_P(Blocking, OneAtATimeInTheOrderOfTheirCalls) {
    run(
        [] {
            std::promise<void> released;
            std::atomic<bool> inside{false};
            std::atomic<bool> overlap{false};
            std::atomic<int> now{0};
            std::vector<int> order;  // Written by one at a time, if all is well.
            scope s;
            const auto parks_before = stats().parks;
            s.go([&] {
                blocking([&] {
                    ++now;
                    inside = true;
                    released.get_future().wait();
                    --now;
                });
            });
            wait_until([&] { return inside && stats().parks != parks_before; });
            for (int i = 0; i != 10; ++i) {
                const auto parks = stats().parks;
                s.go([&, i] {
                    blocking([&, i] {
                        if (++now != 1) overlap = true;
                        order.push_back(i);
                        --now;
                    });
                });
                // It waits in line: it, and nobody else, parks.
                wait_until([&] { return stats().parks != parks; });
            }
            EXPECT_TRUE(order.empty());
            released.set_value();
            s.join();
            EXPECT_FALSE(overlap);
            EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
        },
        {.max_blocking = 1});
}

TEST_P(Blocking, ErrnoThatTheCallLeftIsThereBehindIt) {
    run([] {
        scope s;
        for (int i = 1; i != 20; ++i) {
            s.go([i] {
                blocking([i] { set_errno(i); });
                EXPECT_EQ(errno_now(), i);
                yield();
                EXPECT_EQ(errno_now(), i);
            });
        }
        s.join();
    });
}

TEST_P(Blocking, WorksInsideACatchBlock) {
    run([] {
        try {
            throw std::domain_error("outer");
        } catch (const std::domain_error&) {
            EXPECT_THROW(blocking([] { throw std::length_error("inner"); }), std::length_error);
            yield();
            EXPECT_THROW(throw, std::domain_error);
        }
    });
}

// ---------------------------------------------------------------------------------------- on_big_stack

class BigStack : public with_runtime {
protected:
    template <std::size_t Size>
    [[gnu::noinline]] static std::size_t fill(unsigned char with) {
        volatile unsigned char frame[Size];
        for (std::size_t i = 0; i != Size; i += 256) frame[i] = with;
        std::size_t same = 0;
        for (std::size_t i = 0; i != Size; i += 256) same += frame[i] == with;
        return same * 256;
    }
    static options small_stacks() {
        options o;
        o.stack_size = std::size_t{16} * 1024 * (address_sanitizer || thread_sanitizer ? 4 : 1);
        return o;
    }
};
WEFT_TEST_PROCESSORS(BigStack);

TEST_P(BigStack, HoldsADeepFrameInsideASmallStack) {
    run(
        [] {
            spawn([] {
                constexpr std::size_t size = 48 * 1024;
                EXPECT_EQ(on_big_stack([] { return fill<size>(1); }), size);
            }).join();
        },
        small_stacks());
}

TEST_P(BigStack, IsAsBigAsItWasAskedFor) {
    run(
        [] {
            spawn([] {
                constexpr std::size_t size = 3 << 20;
                EXPECT_EQ(on_big_stack([] { return fill<size>(2); }, size + 64 * 1024), size);
            }).join();
        },
        small_stacks());
}

TEST_P(BigStack, LetsExceptionsOutAndReturnsReferences) {
    run([] {
        EXPECT_THROW(on_big_stack([] { throw std::domain_error("deep"); }), std::domain_error);
        int target = 0;
        EXPECT_EQ(&on_big_stack([&]() -> int& { return target; }), &target);
        EXPECT_EQ(*on_big_stack([] { return std::make_unique<int>(4); }), 4);
        on_big_stack([] {});
    });
}

TEST_P(BigStack, Nests) {
    run([] {
        EXPECT_EQ(on_big_stack([] {
                      return on_big_stack([] { return on_big_stack([] { return 3; }) + 1; }) + 1;
                  }),
                  5);
    });
}

TEST_P(BigStack, ParksAndMigratesInside) {
    run(
        [] {
            scope s;
            for (int i = 0; i != 20; ++i) {
                s.go([i] {
                    const id me = get_id();
                    on_big_stack([&] {
                        volatile unsigned char frame[32 * 1024];
                        for (std::size_t k = 0; k < sizeof(frame); k += 64) {
                            frame[k] = static_cast<unsigned char>(i);
                        }
                        for (int k = 0; k != 5; ++k) {
                            yield();
                            sleep_for(10us);
                            spawn([] {}).join();
                        }
                        for (std::size_t k = 0; k < sizeof(frame); k += 64) {
                            ASSERT_EQ(frame[k], static_cast<unsigned char>(i));
                        }
                        EXPECT_EQ(get_id(), me);
                    });
                    yield();
                });
            }
            s.join();
        },
        small_stacks());
}

TEST_P(BigStack, IsACancellationScopeOfNoKind) {
    run([] {
        std::atomic<bool> begun{false};
        auto handle = spawn([&] {
            on_big_stack([&] {
                begun = true;
                wait_for_cancel();
            });
        });
        wait_until([&] { return begun.load(); });
        handle.request_stop();
        EXPECT_THROW(handle.join(), coroutine_cancelled);
    });
}

TEST_P(BigStack, GivesItsStackBack) {
    run([] {
        on_big_stack([] {});
        const std::uint64_t before = stats().stack_bytes;
        for (int i = 0; i != 100; ++i) on_big_stack([] {});
        EXPECT_EQ(stats().stack_bytes, before);
    });
}

TEST_P(BigStack, AnImpossibleSizeIsBadAlloc) {
    run([] {
        EXPECT_THROW(on_big_stack([] {}, std::size_t{1} << 60), std::bad_alloc);
        yield();
    });
}

}  // namespace
}  // namespace weft::test
