// Which operations of channels a request to stop ends, whatever travels, and what it leaves behind.
#include "support/cancel_points.hpp"
#include "support/payloads.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// A value of each kind that travels in its own way.
template <class T>
T a_value() {
    if constexpr (std::is_same_v<T, std::unique_ptr<int>>) {
        return std::make_unique<int>(1);
    } else if constexpr (std::is_same_v<T, std::string>) {
        return "a value that is too long to lie in the string itself";
    } else {
        return T(1);
    }
}

template <class T>
void sends_are_points(const chan<T>& c, const cancel_points& points) {
    points.expect([&] { c.send(a_value<T>()); });
    points.expect([&] { (void)c.send_for(a_value<T>(), 1h); });
    points.expect([&] { (void)c.send_until(a_value<T>(), clock::now() + 1h); });
    points.expect([&] { select(on_send(c, a_value<T>())); });
    T mine = a_value<T>();
    points.expect([&] { (void)c.send_for(mine, 1h); });
    points.expect([&] { select(on_send(c, mine)); });
    if constexpr (std::is_same_v<T, std::string>) {
        EXPECT_EQ(mine, a_value<T>()) << "it was not moved from";
    }
}

template <class T>
void receives_are_points(const chan<T>& c, const cancel_points& points) {
    points.expect([&] { (void)c.recv(); });
    points.expect([&] { (void)c.recv_for(1h); });
    points.expect([&] { (void)c.recv_until(clock::now() + 1h); });
    T into = a_value<T>();
    points.expect([&] { (void)c.recv_for(into, 1h); });
    points.expect([&] { (void)c.recv_until(into, clock::now() + 1h); });
    points.expect([&] { select(on_recv(c)); });
    points.expect([&] {
        select_set set;
        set.add(on_recv(c));
        set.wait();
    });
    points.expect([&] {
        for (const T& v : c) static_cast<void>(v);
    });
}

template <class T>
void operations_are_points() {
    const chan<T> empty;
    sends_are_points(empty, cancel_points::at_once_and_while_waiting);
    receives_are_points(empty, cancel_points::at_once_and_while_waiting);
    EXPECT_EQ(empty.try_recv(), std::nullopt) << "nobody waits there any more";
    EXPECT_FALSE(empty.try_send(a_value<T>()));

    const chan<T> full(1);
    full.send(a_value<T>());
    sends_are_points(full, cancel_points::at_once_and_while_waiting);
    receives_are_points(full, cancel_points::at_once);
    EXPECT_EQ(full.size(), 1u) << "nothing came in or went out";
    cancel_points::at_once.expect([&] { (void)full.try_recv(); });
    T into = a_value<T>();
    cancel_points::at_once.expect([&] { (void)full.try_recv(into); });
    cancel_points::at_once.expect([&] { (void)full.try_send(a_value<T>()); });
    EXPECT_EQ(full.size(), 1u);
}

class ChanCancel : public with_runtime {};
WEFT_TEST_PROCESSORS(ChanCancel);

TEST_P(ChanCancel, OfIntegers) {
    run([] { operations_are_points<int>(); });
}
TEST_P(ChanCancel, OfPointers) {
    run([] { operations_are_points<std::unique_ptr<int>>(); });
}
TEST_P(ChanCancel, OfValuesInBoxes) {
    run([] { operations_are_points<std::string>(); });
    run([] { operations_are_points<explosive>(); });
}

TEST_P(ChanCancel, OfSignals) {
    run([] {
        const chan<void> c;
        const auto& points = cancel_points::at_once_and_while_waiting;
        points.expect([&] { c.send(); });
        points.expect([&] { (void)c.send_for(1h); });
        points.expect([&] { (void)c.recv(); });
        points.expect([&] { (void)c.recv_for(1h); });
        points.expect([&] { select(on_send(c), on_recv(c)); });
        EXPECT_FALSE(c.try_send());
    });
}

TEST_P(ChanCancel, WhatNeverWaitsIsNoPoint) {
    run([] {
        chan<int> c(1);
        timer t(1h);
        cancel_points::in_cancelled_coroutine([&] {
            EXPECT_NO_THROW(c.close());
            EXPECT_NO_THROW((void)t.stop());
            EXPECT_NO_THROW((void)t.reset(1h));
            EXPECT_NO_THROW((void)c.size());
        });
        EXPECT_TRUE(c.closed());
    });
}

TEST_P(ChanCancel, NothingIsThrownWhileAnExceptionUnwinds) {
    run([] {
        chan<int> c;
        struct sends_at_the_end {
            const chan<int>& c;
            bool& sent;
            ~sends_at_the_end() {
                sent = !c.send_for(1, 1ms);
                select(on_recv(c), on_timeout(1ms));
            }
        };
        cancel_points::in_cancelled_coroutine([&] {
            bool sent = false;
            try {
                const sends_at_the_end last{c, sent};
                throw move_failed();
            } catch (const move_failed&) {}
            EXPECT_TRUE(sent);
        });
    });
}

}  // namespace
}  // namespace weft::test
