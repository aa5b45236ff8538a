// wait_readable and wait_writable: descriptors of other libraries.
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class NetReady : public with_runtime {};
WEFT_TEST_PROCESSORS(NetReady);

struct plain_pipe {
    int ends[2] = {-1, -1};
    plain_pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0); }
    ~plain_pipe() {
        for (const int fd : ends) {
            if (fd >= 0) ::close(fd);
        }
    }
    plain_pipe(const plain_pipe&) = delete;
    plain_pipe& operator=(const plain_pipe&) = delete;
    void write() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
    void read() const {
        char c = 0;
        EXPECT_EQ(::read(ends[0], &c, 1), 1);
    }
};

TEST_P(NetReady, WaitsUntilThereIsSomething) {
    run([] {
        const plain_pipe p;
        EXPECT_FALSE(net::wait_readable(p.ends[0], in(5ms)));
        EXPECT_FALSE(net::wait_readable(p.ends[0], in(-1s)));
        EXPECT_TRUE(net::wait_writable(p.ends[1]));
        for (unsigned i = 0; i != 100; ++i) {
            auto waiter = spawn([&] { return net::wait_readable(p.ends[0]); });
            if (i % 2 == 0) sleep_for(200us);
            p.write();
            EXPECT_TRUE(waiter.join());
            EXPECT_TRUE(net::wait_readable(p.ends[0])) << "as long as nobody reads";
            p.read();
        }
    });
}

TEST_P(NetReady, AnyNumberMayWaitForOneDescriptor) {
    run([] {
        const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        scope s;
        for (unsigned i = 0; i != 20; ++i) s.go([fd] { EXPECT_TRUE(net::wait_readable(fd)); });
        s.go([fd] { EXPECT_TRUE(net::wait_writable(fd)); });
        s.go([fd] {
            EXPECT_FALSE(net::wait_readable(fd, in(5ms)));
            eventfd_write(fd, 1);
        });
        s.join();
        ::close(fd);
    });
}

TEST_P(NetReady, ANumberMayBeUsedAgainAtOnce) {
    run([] {
        for (unsigned i = 0; i != 50; ++i) {
            const plain_pipe p;  // The same numbers each time.
            auto waiter = spawn([&] { return net::wait_readable(p.ends[0], in(10s)); });
            sleep_for(100us);
            p.write();
            EXPECT_TRUE(waiter.join());
        }
    });
}

TEST_P(NetReady, TheEndIsReadableAndWhatIsNoDescriptorAnError) {
    run([] {
        plain_pipe p;
        auto waiter = spawn([&] { return net::wait_readable(p.ends[0]); });
        sleep_for(2ms);
        ::close(p.ends[1]);
        p.ends[1] = -1;
        EXPECT_TRUE(waiter.join());
        EXPECT_EQ(error_of([](auto& ec) { net::wait_readable(-1, {}, ec); }),
                  std::errc::bad_file_descriptor);
        EXPECT_THROW(net::wait_writable(987'654), std::system_error);
        // A file always is ready.
        std::FILE* const file = std::tmpfile();
        EXPECT_TRUE(net::wait_readable(::fileno(file)));
        EXPECT_TRUE(net::wait_writable(::fileno(file)));
        std::fclose(file);
    });
}

TEST_P(NetReady, OneOfOursMayBeWaitedForByItsNumber) {
    run([] {
        auto [a, b] = tcp_pair();
        auto by_number = spawn([fd = b.native_handle()] { return net::wait_readable(fd); });
        auto by_read = spawn([&b = b] { return read_text(b, 5); });
        sleep_for(5ms);
        a.write_all("he");
        sleep_for(5ms);
        a.write_all("llo");
        EXPECT_EQ(by_read.join(), "hello");
        a.close();
        EXPECT_TRUE(by_number.join());
        EXPECT_EQ(read_text(b), "");
    });
}

TEST_P(NetReady, AConnectionWaitsWithoutABuffer) {
    run([] {
        auto [a, b] = tcp_pair();
        EXPECT_FALSE(b.wait_readable(in(5ms)));
        EXPECT_FALSE(b.wait_readable(in(-1s)));
        auto waiter = spawn([&b = b] { return b.wait_readable(); });
        sleep_for(2ms);
        a.write_all("x");
        EXPECT_TRUE(waiter.join());
        EXPECT_TRUE(b.wait_readable(in(1h)));
        EXPECT_TRUE(b.wait_readable(in(-1s))) << "a time in the past asks what is there";
        EXPECT_EQ(read_text(b, 1), "x");
        EXPECT_FALSE(b.wait_readable(in(-1s)));
        b.set_read_deadline(in(2ms));
        EXPECT_EQ(error_of([&, &b = b](auto& ec) { b.wait_readable({}, ec); }),
                  std::errc::timed_out);
        b.set_read_deadline(std::nullopt);
        a.close();
        EXPECT_TRUE(b.wait_readable());
    });
}

TEST_P(NetReady, ItIsACancellationPointAndWorksOnThreads) {
    run([] {
        const plain_pipe p;
        auto waiter = spawn([&] { net::wait_readable(p.ends[0]); });
        sleep_for(2ms);
        waiter.request_stop();
        EXPECT_THROW(waiter.join(), coroutine_cancelled);
        std::atomic<bool> timed_out{false};
        std::thread thread([&] {
            EXPECT_FALSE(net::wait_readable(p.ends[0], in(5ms)));
            timed_out = true;
            EXPECT_TRUE(net::wait_readable(p.ends[0]));
        });
        wait_until([&] { return timed_out.load(); });
        sleep_for(1ms);
        p.write();
        blocking([&] { thread.join(); });
    });
}

}  // namespace
}  // namespace weft::test
