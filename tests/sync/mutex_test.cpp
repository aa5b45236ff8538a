// What only a build of weft with assertions notices about mutexes.
#include "base/config.hpp"
#include "support/child.hpp"

#include <weft/sync.hpp>
#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <mutex>

namespace weft::detail {
namespace {

void ends_with_a_report(const std::function<void()>& misuse) {
    if (!assertions) GTEST_SKIP() << "a build without assertions does not look";
    const test::child_result child = test::run_child(
        [&] { return run([&] { spawn({.name = "the culprit"}, misuse).join(); }); });
    EXPECT_NE(child.signal, 0);
    EXPECT_EQ(child.lines_with("check failed").size(), 1u) << child.err;
    EXPECT_GE(child.lines_with("'the culprit'").size(), 1u) << child.err;
}

TEST(MutexChecks, UnlockingWhatNobodyHasLockedIsReported) {
    ends_with_a_report([] {
        weft::mutex m;
        m.unlock();
    });
}

TEST(MutexChecks, UnlockingWhatSomebodyElseHasLockedIsReported) {
    ends_with_a_report([] {
        weft::mutex m;
        spawn([&] { m.lock(); }).join();
        m.unlock();
    });
    ends_with_a_report([] {
        shared_mutex m;
        spawn([&] { m.lock(); }).join();
        m.unlock();
    });
}

TEST(MutexChecks, UnlockingWhatNobodySharesIsReported) {
    ends_with_a_report([] {
        shared_mutex m;
        m.unlock_shared();
    });
}

TEST(MutexChecks, AConditionVariableThatSomebodyWaitsForIsNotDestroyed) {
    ends_with_a_report([] {
        weft::mutex m;
        auto* const c = new condition_variable;
        bool waits = false;
        auto waiter = spawn([&] {
            m.lock();
            waits = true;
            c->wait(m);
        });
        for (bool seen = false; !seen;) {
            yield();
            const std::lock_guard hold(m);
            seen = waits;
        }
        delete c;
    });
}

}  // namespace
}  // namespace weft::detail
