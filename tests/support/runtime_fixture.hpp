// The fixtures of tests that start runtimes. When such a test is over nothing of weft may be left in the
// process: no thread, no descriptor, no mapping. And it must end at all.
#pragma once

#include "support/build.hpp"
#include "support/footprint.hpp"
#include "support/watchdog.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

namespace weft::test {

template <class Base>
class leak_checked : public Base {
protected:
    void SetUp() override {
        dog_.emplace(seconds_);
        before_ = footprint::now();
    }
    void TearDown() override {
        EXPECT_EQ(left_since(before_), "") << "the runtime left something behind";
        dog_.reset();
    }

    unsigned seconds_ = 100 * (thread_sanitizer ? 2 : 1);

private:
    std::optional<watchdog> dog_;
    footprint before_;
};

/// For tests that say themselves what runtime they want.
using plain_runtime = leak_checked<::testing::Test>;

/// The test runs with 1, 2 and 8 processors.
class with_runtime : public leak_checked<::testing::TestWithParam<unsigned>> {
protected:
    [[nodiscard]] static options with_processors(options base = {}) {
        base.processors = GetParam();
        return base;
    }

    template <class F>
    static int run(F&& main, const options& base = {}, call_site where = call_site::current()) {
        return weft::run(std::forward<F>(main), with_processors(base), where);
    }
};

#define WEFT_TEST_PROCESSORS(suite)                                                                \
    INSTANTIATE_TEST_SUITE_P(Processors, suite, ::testing::Values(1u, 2u, 8u),                     \
                             ::testing::PrintToStringParamName())

/// Lets others run until `condition` holds. In a coroutine or on a thread.
template <class Condition>
void wait_until(Condition&& condition) {
    while (!condition()) weft::yield();
}

/// A body for a coroutine that ends only by being cancelled.
inline void wait_for_cancel() {
    for (;;) weft::sleep_for(std::chrono::hours(1));
}

/// Sets a flag when it is destroyed.
class tells_destroyed {
public:
    explicit tells_destroyed(std::atomic<int>& count) noexcept : count_(&count) {}
    tells_destroyed(tells_destroyed&& other) noexcept
        : count_(std::exchange(other.count_, nullptr)) {}
    tells_destroyed& operator=(tells_destroyed&&) = delete;
    ~tells_destroyed() {
        if (count_ != nullptr) ++*count_;
    }

private:
    std::atomic<int>* count_;
};

}  // namespace weft::test
