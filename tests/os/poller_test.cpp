#include "os/poller.hpp"

#include "os/clock.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::detail {
namespace {

using namespace std::chrono_literals;

class Poller : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(it.open(), 0);
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    }
    void TearDown() override {
        for (const int fd : ends) ::close(fd);
        it.close();
    }
    std::size_t look() { return it.wait(events, 0); }

    poller it;
    std::array<poll_event, 8> events{};
    int ends[2] = {-1, -1};
};

TEST_F(Poller, TellsOnceOfEachChange) {
    ASSERT_EQ(it.watch(ends[0], 42), 0);
    ASSERT_EQ(look(), 1u);  // It can be written.
    EXPECT_EQ(events[0].who, 42u);
    EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(poll_out));
    EXPECT_EQ(look(), 0u);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    ASSERT_TRUE(it.anything_ready());
    ASSERT_EQ(look(), 1u);
    EXPECT_NE(events[0].what & poll_in, 0u);
    EXPECT_EQ(events[0].what & poll_end, 0u);
    EXPECT_FALSE(it.anything_ready());
    ::shutdown(ends[1], SHUT_WR);
    ASSERT_EQ(look(), 1u);
    EXPECT_NE(events[0].what & poll_end, 0u);
}

TEST_F(Poller, ASingleEntryTellsWhenItIsArmed) {
    EXPECT_EQ(it.watch_again(ends[0], 7, poll_in), -ENOENT);
    ASSERT_EQ(it.watch_once(ends[0], 7, poll_in), 0);
    EXPECT_EQ(look(), 0u);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_EQ(look(), 1u);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_EQ(look(), 0u);
    ASSERT_EQ(it.watch_again(ends[0], 7, poll_in), 0);
    EXPECT_EQ(look(), 1u) << "what is there already counts";
    it.forget(ends[0]);
    EXPECT_EQ(it.watch_again(ends[0], 7, poll_in), -ENOENT);
}

TEST_F(Poller, AnInterruptEndsTheWaitThatIsUnderWayOrTheNextOne) {
    it.interrupt();
    EXPECT_EQ(it.wait(events, never), 0u);
    std::thread other([&] {
        std::this_thread::sleep_for(10ms);
        it.interrupt();
    });
    EXPECT_EQ(it.wait(events, never), 0u);
    other.join();
}

TEST_F(Poller, WaitsUntilAMomentAndNotLess) {
    for (const std::int64_t ns : {1'000'000, 50'000'000}) {
        const std::int64_t until = monotonic_ns() + ns;
        EXPECT_EQ(it.wait(events, until), 0u);
        EXPECT_GE(monotonic_ns(), until);
    }
}

TEST_F(Poller, MayBeInsideAnother) {
    poller inner;
    ASSERT_EQ(inner.open(), 0);
    ASSERT_EQ(it.watch_inner(inner, 1), 0);
    ASSERT_EQ(inner.watch_once(ends[0], 2, poll_in), 0);
    EXPECT_EQ(look(), 0u);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    ASSERT_EQ(look(), 1u);
    EXPECT_EQ(events[0].who, 1u);
    ASSERT_EQ(inner.wait(events, 0), 1u);
    EXPECT_EQ(events[0].who, 2u);
    inner.close();
}

TEST_F(Poller, ErrorsAreNumbers) {
    EXPECT_EQ(it.watch(-1, 1), -EBADF);
    EXPECT_EQ(poll_one(-1, poll_in), 0) << "poll(2) ignores these";
    EXPECT_EQ(poll_one(987'654, poll_in), -EBADF);
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(it.watch(file, 1), -EPERM);
    EXPECT_EQ(poll_one(file, poll_in), 1);
    ::close(file);
    errno = 77;
    EXPECT_EQ(it.watch(-1, 1), -EBADF);
    EXPECT_EQ(errno, 77);
}

}  // namespace
}  // namespace weft::detail
