// Where segments are: with a coroutine that waits, and when none is left.
#include "sched/split_stack.hpp"
#include "split/segments.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using detail::co_state;

// A test's own frames are larger where they are not optimised, and then nothing is promised of how few segments there are.
#if defined(__OPTIMIZE__)
constexpr bool optimised = true;
#else
constexpr bool optimised = false;
#endif
const std::size_t first_size = detail::size_of_class(detail::weft_first_class_min);

class SegmentsParked : public plain_runtime {
protected:
    void SetUp() override {
        plain_runtime::SetUp();
        if (!optimised) GTEST_SKIP();
    }

    // What was used before: deeper frames, and code that borrows.
    static void use_much() {
        touch_deeper(8'192);
        char text[200];
        std::snprintf(text, sizeof text, "%d %s %f", 42, "and", 0.5);
        std::string long_one(100, 'x');
        long_one += text;
        const auto numbers = std::make_unique<std::vector<int>>(1'000, 7);
        ASSERT_EQ(long_one.size() + numbers->size(), 100 + 15 + 1'000u);
    }

    // Parks a coroutine in `wait`, looks at its segments from outside, and ends it by cancelling it.
    template <class F>
    static void holds_one_segment(const F& wait) {
        holds_segments(1, wait);
    }
    // With assertions the runtime's frames are larger.
    template <class F>
    static void holds_one_segment_unless_checked(const F& wait) {
        holds_segments(detail::assertions ? 2 : 1, wait);
    }
    // The cases of a select lie in the program's frame, some 200 bytes each, which leaves too little of a first segment for what
    // the runtime's part may need: it goes on the next one.
    template <class F>
    static void may_hold_two_segments(const F& wait) {
        holds_segments(2, wait);
    }

private:
    template <class F>
    static void holds_segments(std::size_t most, const F& wait) {
        weft::run(
            [&] {
                detail::coroutine* waiter = nullptr;
                auto handle = spawn([&] {
                    use_much();
                    waiter = detail::this_coroutine();
                    try {
                        wait();
                    } catch (const cancelled&) {
                        return;
                    }
                    ADD_FAILURE() << "it did not wait";
                });
                wait_until([&] {
                    return waiter != nullptr &&
                           waiter->state.load(std::memory_order_acquire) == co_state::parked;
                });
                const segment* const newest = waiter->stack.get().newest();
                EXPECT_LE(chain_length(newest), most);
                EXPECT_LE(newest->size(), most == 1 ? first_size : 4 * first_size);
                EXPECT_FALSE(newest->over_borrowed());
                EXPECT_TRUE(newest->canary_intact());
                handle.request_stop();
                handle.join();
            },
            {.processors = 1});
    }
};

TEST_F(SegmentsParked, InASleep) {
    holds_one_segment([] { sleep_for(1h); });
}
TEST_F(SegmentsParked, InAReceive) {
    const chan<int> nothing(0);
    holds_one_segment_unless_checked([nothing] { static_cast<void>(nothing.recv()); });
}
TEST_F(SegmentsParked, InAReceiveWithATimeout) {
    const chan<int> nothing(0);
    holds_one_segment_unless_checked([nothing] { static_cast<void>(nothing.recv_for(1h)); });
}
TEST_F(SegmentsParked, InAReceiveOfStrings) {
    const chan<std::string> nothing(0);
    holds_one_segment_unless_checked([nothing] { static_cast<void>(nothing.recv()); });
}
TEST_F(SegmentsParked, InASend) {
    const chan<int> nobody(0);
    holds_one_segment([nobody] { nobody.send(1); });
}
TEST_F(SegmentsParked, InASelect) {
    const chan<int> a(0);
    const chan<int> b(0);
    may_hold_two_segments([a, b] { select(on_recv(a), on_recv(b)); });
}
TEST_F(SegmentsParked, InASelectWithATimeout) {
    const chan<int> a(0);
    may_hold_two_segments([a] { select(on_recv(a), on_timeout(1h)); });
}
TEST_F(SegmentsParked, InAWaitGroup) {
    wait_group never;
    never.add();
    holds_one_segment([&] { never.wait(); });
    never.done();
}
TEST_F(SegmentsParked, InALatch) {
    latch never(1);
    holds_one_segment([&] { never.wait(); });
}
TEST_F(SegmentsParked, InASemaphore) {
    counting_semaphore none(0);
    holds_one_segment([&] { none.acquire(); });
}
TEST_F(SegmentsParked, InAConditionVariable) {
    holds_one_segment([] {
        mutex m;
        condition_variable never;
        std::unique_lock lock(m);
        never.wait(lock);
    });
}
TEST_F(SegmentsParked, InAJoin) {
    holds_one_segment([] { spawn([] { sleep_for(1h); }).join(); });
}
TEST_F(SegmentsParked, InAScope) {
    holds_one_segment([] {
        scope all;
        all.go([] { sleep_for(1h); });
        all.join();
    });
}

// One end of a pair of sockets; the other is closed at the end.
class idle_socket {
public:
    idle_socket() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), 0); }
    ~idle_socket() {
        for (const int fd : ends_) {
            if (fd >= 0) ::close(fd);
        }
    }
    idle_socket(const idle_socket&) = delete;
    idle_socket& operator=(const idle_socket&) = delete;
    [[nodiscard]] int get() const { return ends_[0]; }
    int take() { return std::exchange(ends_[0], -1); }

private:
    int ends_[2] = {-1, -1};
};

TEST_F(SegmentsParked, InARead) {
    idle_socket s;
    holds_one_segment_unless_checked([&s] {
        net::conn c = net::conn::adopt(s.take());
        char t[1];
        c.read(t);
    });
}
TEST_F(SegmentsParked, InAReadWithADeadline) {
    idle_socket s;
    holds_one_segment_unless_checked([&s] {
        net::conn c = net::conn::adopt(s.take());
        c.set_deadline(clock::now() + 1h);
        char t[1];
        c.read(t);
    });
}
// The connection, the buffer and the read together are a little more than a first segment has.
TEST_F(SegmentsParked, InAReadIntoABuffer) {
    idle_socket s;
    may_hold_two_segments([&s] {
        net::conn c = net::conn::adopt(s.take());
        net::buffer b;
        c.read(b);
    });
}
TEST_F(SegmentsParked, InAnAccept) {
    may_hold_two_segments([] {
        net::listener l = net::listen("127.0.0.1:0");
        static_cast<void>(l.accept());
    });
}
TEST_F(SegmentsParked, InAWaitForADescriptor) {
    const idle_socket s;
    holds_one_segment_unless_checked([&s] { net::wait_readable(s.get()); });
}

// Uncancellable: it is let go by unlocking.
TEST_F(SegmentsParked, InAMutex) {
    weft::run(
        [] {
            mutex m;
            m.lock();
            detail::coroutine* waiter = nullptr;
            auto handle = spawn([&] {
                use_much();
                waiter = detail::this_coroutine();
                m.lock();
                m.unlock();
            });
            wait_until([&] {
                return waiter != nullptr &&
                       waiter->state.load(std::memory_order_acquire) == co_state::parked;
            });
            EXPECT_EQ(chain_length(waiter->stack.get().newest()), 1u);
            EXPECT_EQ(waiter->stack.get().newest()->size(), first_size);
            m.unlock();
            handle.join();
        },
        {.processors = 1});
}

class SegmentsAccounted : public with_runtime {
protected:
    // Everything is back while the runtime is up.
    template <class F>
    static void all_back(const F& body) {
        run([&] {
            for (int round = 0; round != 3; ++round) {
                scope all;
                for (int i = 0; i != 50; ++i) all.go([&, i] { body(i); });
                all.join();
            }
            wait_for_segments();
        });
        EXPECT_EQ(detail::sched.segments.bytes_out(), 0u);
    }
};
WEFT_TEST_PROCESSORS(SegmentsAccounted);

TEST_P(SegmentsAccounted, BehindReturns) {
    all_back([](int i) { touch_deeper(static_cast<std::size_t>(i) * 1'000); });
}

TEST_P(SegmentsAccounted, BehindFramesLargerThanAnyClass) {
    all_back([](int i) {
        auto* const bytes = static_cast<volatile char*>(__builtin_alloca(70'000));
        bytes[0] = static_cast<char>(i);
        const auto large = [](auto& self, int depth) -> int {
            volatile char frame[70'000];
            frame[0] = 1;
            const int below = depth == 0 ? 0 : self(self, depth - 1);
            return below + frame[0];
        };
        EXPECT_EQ(large(large, 3), 4);
    });
}

[[gnu::noinline]] int throw_below(int depth) {
    volatile char frame[700];
    frame[0] = 1;
    if (depth == 0) throw std::runtime_error("below");
    return throw_below(depth - 1) + frame[0];
}

TEST_P(SegmentsAccounted, BehindExceptions) {
    all_back([](int i) {
        EXPECT_THROW(throw_below(i), std::runtime_error);
        yield();
        EXPECT_THROW(throw_below(i + 100), std::runtime_error);
    });
}

TEST_P(SegmentsAccounted, BehindBorrowing) {
    all_back([](int i) {
        char text[100];
        for (int n = 0; n != 20; ++n) {
            std::snprintf(text, sizeof text, "%d of %d", n, i);
            if (n % 5 == 0) yield();
        }
    });
}

TEST_P(SegmentsAccounted, BehindCancellation) {
    run([] {
        {
            scope all;
            for (int i = 0; i != 50; ++i) {
                all.go([i] {
                    const auto wait = [](auto& self, int depth) -> int {
                        volatile char frame[500];
                        frame[0] = 1;
                        if (depth == 0) {
                            sleep_for(1h);
                            return 0;
                        }
                        return self(self, depth - 1) + frame[0];
                    };
                    wait(wait, i);
                });
            }
            for (int n = 0; n != 20; ++n) yield();
        }
        wait_for_segments();
    });
    EXPECT_EQ(detail::sched.segments.bytes_out(), 0u);
}

TEST_P(SegmentsAccounted, BehindCoroutinesThatAreCancelledBeforeTheyRun) {
    run([] {
        {
            scope all;
            for (int i = 0; i != 1'000; ++i) all.go([] {});
        }
        wait_for_segments();
    });
}

}  // namespace
}  // namespace weft::test
