// go and spawn: what goes in, what comes out, and that nothing is lost or done twice on the way.
#include "support/places.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

int seven() { return 7; }

struct not_default_constructible {
    explicit not_default_constructible(int v) : value(v) {}
    int value;
};

struct alignas(256) over_aligned {
    int value = 0;
};

struct throws_when_moved {
    explicit throws_when_moved(std::atomic<int>& count) : destroyed(&count) {}
    throws_when_moved(throws_when_moved&&) { throw std::domain_error("moved"); }
    ~throws_when_moved() { ++*destroyed; }
    std::atomic<int>* destroyed = nullptr;
};

bool aligned(const void* address, std::size_t align) {
    return reinterpret_cast<std::uintptr_t>(address) % align == 0;
}

class Spawn : public with_runtime {};
WEFT_TEST_PROCESSORS(Spawn);

TEST_P(Spawn, JoinReturnsAValue) {
    run([] { EXPECT_EQ(spawn([] { return 42; }).join(), 42); });
}

TEST_P(Spawn, JoinReturnsNothingForVoid) {
    run([] {
        bool ran = false;
        spawn([&] { ran = true; }).join();
        EXPECT_TRUE(ran);
    });
}

TEST_P(Spawn, JoinReturnsTheVeryReference) {
    run([] {
        int target = 1;
        int& result = spawn([&]() -> int& { return target; }).join();
        EXPECT_EQ(&result, &target);
        const int& constant = spawn([&]() -> const int& { return target; }).join();
        EXPECT_EQ(&constant, &target);
    });
}

TEST_P(Spawn, JoinReturnsAMoveOnlyValue) {
    run([] { EXPECT_EQ(*spawn([] { return std::make_unique<int>(9); }).join(), 9); });
}

TEST_P(Spawn, JoinReturnsAValueThatHasNoDefault) {
    run([] { EXPECT_EQ(spawn([] { return not_default_constructible(5); }).join().value, 5); });
}

TEST_P(Spawn, JoinReturnsAnOverAlignedValue) {
    run([] {
        const over_aligned result = spawn([] {
                                        over_aligned made;
                                        made.value = 3;
                                        return made;
                                    }).join();
        EXPECT_EQ(result.value, 3);
        EXPECT_TRUE(aligned(&result, 256));
    });
}

TEST_P(Spawn, JoinReturnsALargeValue) {
    run([] {
        std::array<int, 1000> expected{};
        expected[999] = 1;
        EXPECT_EQ(spawn([&] { return expected; }).join(), expected);
    });
}

TEST_P(Spawn, JoinThrowsWhatMovingTheResultThrowsAndTheHandleIsSpent) {
    run([] {
        std::atomic<int> destroyed{0};
        auto handle = spawn([&] { return throws_when_moved(destroyed); });
        EXPECT_THROW(handle.join(), std::domain_error);
        EXPECT_FALSE(handle.joinable());
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(Spawn, JoinThrowsWhatKeepingTheResultThrows) {
    run([] {
        std::atomic<int> destroyed{0};
        throws_when_moved made(destroyed);
        auto handle = spawn([&]() -> throws_when_moved { return std::move(made); });
        EXPECT_THROW(handle.join(), std::domain_error);
        EXPECT_FALSE(handle.joinable());
        EXPECT_EQ(destroyed, 0);
    });
}

TEST_P(Spawn, JoinRethrowsTheException) {
    run([] {
        auto handle = spawn([]() -> int { throw std::domain_error("from the coroutine"); });
        try {
            handle.join();
            ADD_FAILURE() << "nothing thrown";
        } catch (const std::domain_error& e) {
            EXPECT_STREQ(e.what(), "from the coroutine");
        }
    });
}

TEST_P(Spawn, TakesAFunctionAFunctionPointerAndAReferenceWrapper) {
    run([] {
        EXPECT_EQ(spawn(seven).join(), 7);
        EXPECT_EQ(spawn(&seven).join(), 7);
        int calls = 0;
        auto lambda = [&] { return ++calls; };
        EXPECT_EQ(spawn(std::ref(lambda)).join(), 1);
        const std::function<int()> function = [&] { return ++calls; };
        EXPECT_EQ(spawn(function).join(), 2);
    });
}

TEST_P(Spawn, CallsTheClosureAsAnRvalueAsStdThreadDoes) {
    struct only_once {
        std::unique_ptr<int> value;
        std::unique_ptr<int> operator()() && { return std::move(value); }
    };
    run([] { EXPECT_EQ(*spawn(only_once{std::make_unique<int>(6)}).join(), 6); });
}

TEST_P(Spawn, TakesAMoveOnlyClosure) {
    run([] { EXPECT_EQ(spawn([p = std::make_unique<int>(4)] { return *p; }).join(), 4); });
}

TEST_P(Spawn, CopiesAnLvalueClosure) {
    run([] {
        auto closure = [text = std::string("captured text, too long for a small string")] {
            return text;
        };
        EXPECT_EQ(spawn(closure).join(), spawn(closure).join());
        EXPECT_EQ(closure(), "captured text, too long for a small string");
    });
}

TEST_P(Spawn, TakesClosuresOfEverySizeAroundTheInlineOne) {
    run([] {
        const auto check = []<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
            std::array<unsigned char, Size> bytes;
            for (std::size_t i = 0; i != Size; ++i)
                bytes[i] = static_cast<unsigned char>(i * 7 + Size);
            EXPECT_EQ(spawn([bytes] { return bytes; }).join(), bytes) << Size;
        };
        check(std::integral_constant<std::size_t, 1>());
        check(std::integral_constant<std::size_t, 16>());
        check(std::integral_constant<std::size_t, 31>());
        check(std::integral_constant<std::size_t, 32>());
        check(std::integral_constant<std::size_t, 33>());
        check(std::integral_constant<std::size_t, 63>());
        check(std::integral_constant<std::size_t, 64>());
        check(std::integral_constant<std::size_t, 65>());
        check(std::integral_constant<std::size_t, 4096>());
        check(std::integral_constant<std::size_t, 20000>());
    });
}

TEST_P(Spawn, AlignsOverAlignedClosures) {
    run([] {
        over_aligned captured;
        captured.value = 8;
        EXPECT_EQ(
            spawn([captured] { return aligned(&captured, 256) ? captured.value : -1; }).join(), 8);
    });
}

TEST_P(Spawn, DestroysTheClosureExactlyOnceOnTheCoroutine) {
    struct notes_where {
        std::atomic<int>* count;
        std::atomic<std::uint64_t>* where;
        notes_where(std::atomic<int>& c, std::atomic<std::uint64_t>& w) : count(&c), where(&w) {}
        notes_where(notes_where&& other) noexcept
            : count(std::exchange(other.count, nullptr)), where(other.where) {}
        ~notes_where() {
            if (count == nullptr) return;
            ++*count;
            *where = get_id().value();
        }
        void operator()() const {}
    };
    run([] {
        std::atomic<int> count{0};
        std::atomic<std::uint64_t> where{0};
        auto handle = spawn(notes_where(count, where));
        const std::uint64_t id = handle.get_id().value();
        handle.join();
        EXPECT_EQ(count, 1);
        EXPECT_EQ(where, id);
    });
}

TEST_P(Spawn, DestroysTheClosureBeforeJoinReturnsAlsoWhenItThrows) {
    run([] {
        std::atomic<int> destroyed{0};
        auto handle = spawn([mine = tells_destroyed(destroyed)] { throw std::domain_error("x"); });
        EXPECT_THROW(handle.join(), std::domain_error);
        EXPECT_EQ(destroyed, 1);
    });
}

TEST_P(Spawn, DestroysResultsThatNobodyTakes) {
    std::atomic<int> destroyed{0};
    run([&] {
        std::atomic<int> done{0};
        auto dropped = spawn([&] {
            ++done;
            return tells_destroyed(destroyed);
        });
        auto detached = spawn([&] {
            ++done;
            return tells_destroyed(destroyed);
        });
        detached.detach();
        go([&] {
            ++done;
            return tells_destroyed(destroyed);
        });
        wait_until([&] { return done == 3; });
    });
    EXPECT_EQ(destroyed, 3);
}

TEST_P(Spawn, LeavesNothingBehindWhenCopyingTheClosureThrows) {
    struct throws_when_copied {
        throws_when_copied() = default;
        throws_when_copied(const throws_when_copied&) { throw std::domain_error("copied"); }
        void operator()() const {}
    };
    run([] {
        const throws_when_copied closure;
        const std::uint64_t before = stats().coroutines;
        for (int i = 0; i != 100; ++i) {
            EXPECT_THROW(go(closure), std::domain_error);
            EXPECT_THROW(static_cast<void>(spawn(closure)), std::domain_error);
        }
        scope s({.limit = 1});
        for (int i = 0; i != 100; ++i) {
            EXPECT_THROW(s.go(closure), std::domain_error);
            EXPECT_THROW(static_cast<void>(s.spawn(closure)), std::domain_error);
        }
        s.go([] {});  // Its one place is free.
        s.join();
        EXPECT_EQ(stats().coroutines, before);
    });
}

TEST_P(Spawn, ANoexceptFunctionAndAConstClosureAreFine) {
    run([] {
        const auto closure = []() noexcept { return 1; };
        EXPECT_EQ(spawn(closure).join(), 1);
    });
}

TEST_P(Spawn, TakesAStackSize) {
    run(
        [] {
            const auto deep = [] {
                volatile char frame[std::size_t{600} * 1024];
                frame[0] = 1;
                frame[sizeof(frame) - 1] = 1;
                return frame[0] + frame[sizeof(frame) - 1];
            };
            EXPECT_EQ(spawn({.stack_size = std::size_t{1} << 20}, deep).join(), 2);
        },
        {.stack_size = std::size_t{64} * 1024});
}

TEST_P(Spawn, GoRunsWhatItIsGiven) {
    run([] {
        std::atomic<int> ran{0};
        for (int i = 0; i != 100; ++i) go([&] { ++ran; });
        go({.name = "named"}, [&] { ++ran; });
        wait_until([&] { return ran == 101; });
    });
}

TEST_P(Spawn, ManyCoroutinesSpawnManyMore) {
    constexpr int width = 20;
    run([] {
        std::atomic<int> ran{0};
        scope s;
        for (int i = 0; i != width; ++i) {
            s.go([&] {
                for (int k = 0; k != width; ++k) {
                    s.go([&] {
                        yield();
                        ++ran;
                    });
                }
            });
        }
        s.join();
        EXPECT_EQ(ran, width * width);
    });
}

TEST_P(Spawn, WorksFromManyForeignThreadsAtOnce) {
    const runtime up(with_processors());
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i != 200; ++i) {
                auto handle = spawn([] { return 1; });
                go([&] { ++sum; });
                sum += handle.join();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    wait_until([&] { return sum == 1600; });
}

TEST_P(Spawn, CoroutinesParkedInsideCatchKeepTheirExceptionsApart) {
    run([] {
        scope s;
        for (int i = 0; i != 20; ++i) {
            s.go([i] {
                try {
                    throw std::runtime_error(std::to_string(i));
                } catch (...) {
                    for (int k = 0; k != 5; ++k) yield();
                    try {
                        throw;
                    } catch (const std::runtime_error& e) {
                        EXPECT_EQ(e.what(), std::to_string(i));
                    }
                }
            });
        }
        s.join();
    });
}

TEST_P(Spawn, ErrnoTravelsWithTheCoroutine) {
    run([] {
        scope s;
        for (int i = 1; i != 20; ++i) {
            s.go([i] {
                set_errno(i);
                for (int k = 0; k != 5; ++k) {
                    yield();
                    EXPECT_EQ(errno_now(), i);
                }
            });
        }
        s.join();
    });
}

}  // namespace
}  // namespace weft::test
