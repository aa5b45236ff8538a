// Whether an operation is a cancellation point.
#pragma once

#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>

namespace weft::test {

/// In a coroutine, for operations that can be tried again and again.
class cancel_points {
public:
    static const cancel_points at_once;
    static const cancel_points at_once_and_while_waiting;

    template <class F>
    void expect(F&& f) const {
        in_cancelled_coroutine([&] {
            EXPECT_THROW(f(), cancelled);
            EXPECT_THROW(f(), cancelled) << "a level, not an event";
        });
        if (waits_) throws_while_waiting(f);
    }

    /// Runs f() in a coroutine that was asked to stop before.
    template <class F>
    static void in_cancelled_coroutine(F&& f) {
        std::atomic<bool> asked{false};
        auto handle = spawn([&] {
            {
                const no_cancel deaf;
                wait_until([&] { return asked.load(); });
            }
            f();
        });
        handle.request_stop();
        asked = true;
        handle.join();
    }

private:
    constexpr explicit cancel_points(bool waits) noexcept : waits_(waits) {}

    // The request comes, most likely, while it waits.
    template <class F>
    static void throws_while_waiting(F&& f) {
        std::atomic<bool> begun{false};
        auto handle = spawn([&] {
            begun = true;
            EXPECT_THROW(f(), cancelled);
        });
        wait_until([&] { return begun.load(); });
        for (int i = 0; i != 5; ++i) yield();
        handle.request_stop();
        handle.join();
    }

    bool waits_;
};
inline constexpr cancel_points cancel_points::at_once{false};
inline constexpr cancel_points cancel_points::at_once_and_while_waiting{true};

}  // namespace weft::test
