// Standstills that are no deadlock: processors or blocking calls are used up, and what would free one waits behind.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// While it lives, what is written to stderr can be read from it.
class caught_stderr {
public:
    caught_stderr() : kept_(::dup(STDERR_FILENO)) {
        EXPECT_EQ(::pipe(ends_), 0);
        ::dup2(ends_[1], STDERR_FILENO);
    }
    ~caught_stderr() {
        std::fflush(stderr);
        ::dup2(kept_, STDERR_FILENO);
        for (const int file : {kept_, ends_[0], ends_[1]}) ::close(file);
    }
    caught_stderr(const caught_stderr&) = delete;
    caught_stderr& operator=(const caught_stderr&) = delete;

    /// Blocks until `part` has been written.
    void await(std::string_view part) {
        while (text_.find(part) == std::string::npos) read_some();
    }
    /// What has been written so far.
    const std::string& text() {
        pollfd more{ends_[0], POLLIN, 0};
        while (::poll(&more, 1, 0) == 1) read_some();
        return text_;
    }

private:
    void read_some() {
        char piece[4096];
        const ssize_t size = ::read(ends_[0], piece, sizeof(piece));
        ASSERT_GT(size, 0);
        text_.append(piece, static_cast<std::size_t>(size));
    }

    int kept_;
    int ends_[2] = {};
    std::string text_;
};

// Something to block in, until a number of bytes has been written.
class doorway {
public:
    doorway() { EXPECT_EQ(::pipe(ends_), 0); }
    ~doorway() {
        for (const int file : ends_) ::close(file);
    }
    doorway(const doorway&) = delete;
    doorway& operator=(const doorway&) = delete;

    void wait() {
        char byte = 0;
        EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
    }
    void open(std::size_t count) {
        const std::string all(count, 'x');
        EXPECT_EQ(::write(ends_[1], all.data(), count), static_cast<ssize_t>(count));
    }

private:
    int ends_[2] = {};
};

class Standstill : public plain_runtime {
protected:
    caught_stderr err;
    doorway door;

    // A thread of the program's own ends the standstill after the report.
    template <class F>
    void until_reported(std::size_t waiting, const options& how, F&& waits) {
        std::thread helper([&] {
            err.await("\n  ");  // The first place.
            door.open(waiting);
        });
        weft::run(
            [&] {
                scope s;
                for (std::size_t i = 0; i != waiting; ++i) s.go(waits);
                s.join();
            },
            how);
        helper.join();
    }
    [[nodiscard]] std::size_t reports() {
        std::size_t count = 0;
        for (std::size_t at = 0;
             (at = err.text().find("weft: standstill:", at)) != std::string::npos; ++at) {
            ++count;
        }
        return count;
    }
};

TEST_F(Standstill, OfProcessorsIsReportedOnceWithWhereTheyAre) {
    until_reported(7, {.processors = 2, .max_compensation = 2}, [this] { door.wait(); });
    EXPECT_EQ(reports(), 1u) << err.text();
    const std::string& text = err.text();
    EXPECT_NE(text.find("all 4 processors are held"), std::string::npos) << text;
    EXPECT_NE(text.find("2 of them added"), std::string::npos) << text;
    EXPECT_NE(text.find("options.max_compensation"), std::string::npos) << text;
    EXPECT_NE(text.find("  4 created at "), std::string::npos) << text;
    EXPECT_NE(text.find("standstill_test.cpp:"), std::string::npos) << text;
}

TEST_F(Standstill, WithoutAnySubstitutesIsReportedToo) {
    until_reported(2, {.processors = 1, .max_compensation = 0}, [this] { door.wait(); });
    EXPECT_EQ(reports(), 1u) << err.text();
}

TEST_F(Standstill, OfTheLineOfBlockingCallsIsReportedOnce) {
    until_reported(5, {.processors = 2, .max_blocking = 3},
                   [this] { blocking([this] { door.wait(); }); });
    EXPECT_EQ(reports(), 1u) << err.text();
    const std::string& text = err.text();
    EXPECT_NE(text.find("3 are under way"), std::string::npos) << text;
    EXPECT_NE(text.find("2 wait in line"), std::string::npos) << text;
    EXPECT_NE(text.find("options.max_blocking"), std::string::npos) << text;
    EXPECT_NE(text.find("  5 created at "), std::string::npos) << text;
}

// Nothing stands still where nobody waits, however long a computation is, nor where blocking calls all have their thread.
TEST_F(Standstill, IsNoneWhereNobodyWaits) {
    weft::run(
        [this] {
            scope s;
            s.go([this] { blocking([this] { door.wait(); }); });
            s.go([this] {
                const auto end = std::chrono::steady_clock::now() + 1500ms;
                while (std::chrono::steady_clock::now() < end) asm volatile("" ::: "memory");
                door.open(2);
            });
            s.go([this] { blocking([this] { door.wait(); }); });
            s.join();
        },
        {.processors = 1, .max_blocking = 2, .max_compensation = 0});
    EXPECT_EQ(reports(), 0u) << err.text();
}

TEST_F(Standstill, IsNoneWhereTheLineMoves) {
    std::atomic<int> ended{0};
    std::thread helper([&] {
        while (ended.load() < 8) {
            door.open(1);
            std::this_thread::sleep_for(200ms);
        }
    });
    weft::run(
        [&] {
            scope s;
            for (int i = 0; i != 8; ++i) {
                s.go([&] {
                    blocking([&] { door.wait(); });
                    ++ended;
                });
            }
            s.join();
        },
        {.processors = 2, .max_blocking = 1});
    helper.join();
    EXPECT_EQ(reports(), 0u) << err.text();
}

}  // namespace
}  // namespace weft::test
