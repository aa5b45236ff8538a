// A program of 0.1: everything by one header, simulated schedules, dumps, the version.

#include "check.hpp"

#include <weft/report.hpp>
#include <weft/sync.hpp>
#include <weft/testing.hpp>
#include <weft/version.hpp>
#include <weft/weft.hpp>

#include <chrono>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

void version() {
    static_assert(WEFT_VERSION_MAJOR > 0 || WEFT_VERSION_MINOR > 0 || WEFT_VERSION_PATCH > 0);
    constexpr weft::version first{0, 1, 0};
    static_assert(first.major == 0 && first.minor == 1 && first.patch == 0);
    CHECK(weft::library_version() == weft::header_version);
}

void simulated() {
    int order = 0;
    weft::testing::simulate(1, [&] {
        const weft::clock::time_point before = weft::clock::now();
        weft::join_handle<int> other = weft::spawn([] {
            weft::sleep_for(24h);
            return 1;
        });
        order = other.join();
        CHECK(weft::clock::now() - before >= 24h);
    });
    CHECK(order == 1);
    weft::testing::simulate_options how;
    const weft::testing::queue_kind kind = weft::testing::real;
    how.queues = kind;
    how.processors = 4;
    CHECK(weft::testing::simulate_options().queues == weft::testing::chance);
    weft::testing::simulate(
        1,
        [] {
            const weft::clock::time_point before = weft::clock::now();
            weft::testing::compute(3ms);
            CHECK(weft::clock::now() - before >= 3ms);
        },
        how);
    CHECK(throws<weft::deadlock>([] {
        weft::testing::simulate(2, [] {
            const weft::chan<int> silent;
            (void)silent.recv();
        });
    }));

    try {
        weft::testing::explore(3, [] { throw std::logic_error("on purpose"); });
        CHECK(false);
    } catch (const weft::testing::failure& f) {
        CHECK(f.seed() == 1);
        CHECK(throws<std::logic_error>([&] { std::rethrow_if_nested(f); }));
    }
    weft::testing::explore(2, [] {});
    const weft::testing::failure made(7, "words");
    CHECK(made.seed() == 7 && made.what() == std::string("words"));
}

void dumps() {
    std::ostringstream text;
    weft::report::dump(text);
    CHECK(text.str().find("coroutine") != std::string::npos);
}

void exceptions() {
    CHECK(throws<std::runtime_error>([] { throw weft::coroutine_cancelled(); }));
    CHECK(throws<std::runtime_error>([] { throw weft::timed_out(); }));
    CHECK(throws<std::runtime_error>([] { throw weft::deadlock("words"); }));
    CHECK(throws<std::logic_error>([] { throw weft::channel_closed(); }));
}

}  // namespace

int main() {
    version();
    simulated();
    exceptions();
    return weft::run([] { dumps(); });
}
