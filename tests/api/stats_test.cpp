// stats: what happens is counted.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Stats : public with_runtime {};
WEFT_TEST_PROCESSORS(Stats);

TEST_P(Stats, AreAllZeroWhileNoRuntimeIsUp) {
    const runtime_stats s = stats();
    EXPECT_EQ(s.coroutines + s.threads + s.processors + s.spawned + s.switches + s.stack_bytes +
                  s.timers,
              0u);
}

TEST_P(Stats, CountWhatHappens) {
    run([] {
        const runtime_stats before = stats();
        EXPECT_EQ(before.coroutines, 1u);
        EXPECT_EQ(before.processors, GetParam());
        EXPECT_GE(before.threads, 1u);
        EXPECT_GE(before.stack_bytes, std::uint64_t{8} << 20);
        {
            std::vector<join_handle<void>> handles;
            for (int i = 0; i != 100; ++i) handles.push_back(spawn([] { wait_for_cancel(); }));
            // Who parks sets its timer first and counts then.
            runtime_stats during;
            wait_until([&] {
                during = stats();
                return during.timers >= 100 && during.parks >= before.parks + 100;
            });
            EXPECT_EQ(during.coroutines, 101u);
            EXPECT_EQ(during.spawned, before.spawned + 100);
            EXPECT_GE(during.switches, before.switches + 100);
            EXPECT_GT(during.stack_bytes, before.stack_bytes);
        }
        blocking([] {});
        EXPECT_EQ(stats().coroutines, 1u);
    });
}

TEST_P(Stats, StartAtZeroWithEachRuntime) {
    run([] {
        for (int i = 0; i != 10; ++i) spawn([] {}).join();
        EXPECT_EQ(stats().spawned, 11u);
    });
    run([] { EXPECT_EQ(stats().spawned, 1u); });
}

TEST_P(Stats, StacksOfTheLastRuntimeAreNotInUseInTheNext) {
    std::set<std::uint64_t> at_start;
    for (int i = 0; i != 5; ++i) {
        run([&] {
            at_start.insert(stats().stack_bytes);
            scope s;
            for (int k = 0; k != 20; ++k) s.go([] { yield(); });
            s.join();
        });
    }
    EXPECT_EQ(at_start.size(), 1u);
}

TEST_P(Stats, MayBeReadByAnyThreadWhileRuntimesComeAndGo) {
    std::atomic<bool> stop{false};
    std::thread reader([&] {
        while (!stop) {
            const runtime_stats s = stats();
            EXPECT_TRUE(s.processors == 0 || s.processors == GetParam());
            static_cast<void>(processors());
        }
    });
    for (int i = 0; i != 50; ++i) {
        run([] { spawn([] { yield(); }).join(); });
    }
    stop = true;
    reader.join();
}

}  // namespace
}  // namespace weft::test
