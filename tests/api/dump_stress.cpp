// Dumps beside coroutines that come, go, wait and are woken: nobody is lost, nothing is torn.
#include "support/dump.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <thread>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class DumpStorm : public with_runtime {
protected:
    DumpStorm() : seed(stress_seed()) {}
    const std::uint64_t seed;
};
INSTANTIATE_TEST_SUITE_P(Processors, DumpStorm, ::testing::Values(1u, 2u, 8u),
                         ::testing::PrintToStringParamName());

void live(std::uint64_t seed, const std::atomic<bool>& over) {
    std::minstd_rand random(static_cast<std::uint32_t>(seed));
    while (!over.load(std::memory_order_relaxed)) {
        switch (random() % 5) {
        case 0:
            sleep_for(std::chrono::microseconds(random() % 200));
            break;
        case 1:
            spawn({.name = "child"}, [] { weft::yield(); }).join();
            break;
        case 2: {
            scope s({.limit = 2});
            for (int i = 0; i != 4; ++i) s.go([] { sleep_for(10us); });
            s.join();
            break;
        }
        case 3:
            blocking([] {});
            break;
        default:
            set_name("w" + std::to_string(random() % 100));
            weft::yield();
        }
    }
}

void expect_whole(const std::string& text) {
    const dump_blocks d(text);
    ASSERT_FALSE(d.all().empty());
    for (const dump_block& b : d.all()) {
        ASSERT_NE(b.head.find("]:"), std::string::npos) << b.head;
        ASSERT_NE(b.status(), "") << b.head;
        ASSERT_NE(b.created_at.find(".cpp:"), std::string::npos) << b.head << b.created_at;
    }
}

void dump_until_over(std::atomic<std::int64_t>& left, std::atomic<bool>& over) {
    while (!over.load()) {
        std::ostringstream out;
        report::dump(out);
        expect_whole(out.str());
        if (left.fetch_sub(1) <= 1) over = true;
        weft::yield();
    }
}

TEST_P(DumpStorm, BesideEverythingThatMoves) {
    run([&] {
        std::atomic<bool> over{false};
        std::atomic<std::int64_t> left{static_cast<std::int64_t>(stress_rounds(2000))};
        scope s;
        for (std::uint64_t i = 0; i != 30; ++i) {
            s.go({.name = "lives"}, [&, i] { live(seed + i, over); });
        }
        s.go({.name = "dumps"}, [&] { dump_until_over(left, over); });
        std::thread foreign([&] { dump_until_over(left, over); });
        s.join();
        blocking([&] { foreign.join(); });
    });
}

TEST_P(DumpStorm, BesideRuntimesThatStartAndStop) {
    std::atomic<bool> over{false};
    std::thread foreign([&] {
        while (!over.load()) {
            std::ostringstream out;
            report::dump(out);
        }
    });
    for (std::uint64_t i = 0; i != stress_rounds(200); ++i) {
        run([] {
            scope s;
            for (int n = 0; n != 10; ++n) s.go([] { sleep_for(50us); });
            s.join();
        });
    }
    over = true;
    foreign.join();
}

}  // namespace
}  // namespace weft::test
