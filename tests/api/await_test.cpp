// await: waiting for what only a thread can wait for.
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Await : public with_runtime {};
WEFT_TEST_PROCESSORS(Await);

TEST_P(Await, ReturnsTheValueOfAFutureThatComesLater) {
    run([] {
        std::promise<std::string> promise;
        std::thread setter([&] { promise.set_value("later"); });
        EXPECT_EQ(await(promise.get_future()), "later");
        setter.join();
    });
}

TEST_P(Await, ReturnsAReadyOneAtOnceAndVoidAndReferences) {
    run([] {
        std::promise<int> ready;
        ready.set_value(1);
        EXPECT_EQ(await(ready.get_future()), 1);
        std::promise<void> nothing;
        nothing.set_value();
        await(nothing.get_future());
        int target = 0;
        std::promise<int&> reference;
        reference.set_value(target);
        EXPECT_EQ(&await(reference.get_future()), &target);
    });
}

TEST_P(Await, RunsADeferredOne) {
    run([] { EXPECT_EQ(await(std::async(std::launch::deferred, [] { return 5; })), 5); });
}

TEST_P(Await, WaitsForAnAsyncOne) {
    run([] { EXPECT_EQ(await(std::async(std::launch::async, [] { return 6; })), 6); });
}

TEST_P(Await, RethrowsItsException) {
    run([] {
        std::promise<int> promise;
        std::thread setter(
            [&] { promise.set_exception(std::make_exception_ptr(std::domain_error("set"))); });
        EXPECT_THROW(await(promise.get_future()), std::domain_error);
        setter.join();
        auto broken = std::make_unique<std::promise<int>>();
        std::future<int> future = broken->get_future();
        broken.reset();
        EXPECT_THROW(await(std::move(future)), std::future_error);
    });
}

TEST_P(Await, DoesNotStallTheOthers) {
    run([] {
        std::promise<int> promise;
        auto waiter = spawn([&] { return await(promise.get_future()); });
        yield();
        EXPECT_EQ(spawn([] { return 1; }).join(), 1);
        promise.set_value(2);  // By a coroutine that could not run if a processor were stalled.
        EXPECT_EQ(waiter.join(), 2);
    });
}

TEST_P(Await, WorksOnAForeignThread) {
    EXPECT_EQ(await(std::async(std::launch::async, [] { return 7; })), 7);
    const runtime up(with_processors());
    EXPECT_EQ(await(std::async(std::launch::async, [] { return 7; })), 7);
}

// The promise is kept by a coroutine that itself needs a place for a blocking call.
TEST_P(Await, TakesNoPlaceThatBlockingCallsWaitFor) {
    run(
        [] {
            std::promise<int> promise;
            std::future<int> future = promise.get_future();
            auto keeper = spawn([&] {
                blocking([] {});
                promise.set_value(4);
            });
            EXPECT_EQ(await(std::move(future)), 4);
        },
        {.max_blocking = 1});
}

TEST_P(Await, ACancelledOneLeavesNobodyBehind) {
    std::promise<int> kept_late;
    run([&] {
        EXPECT_THROW(with_timeout(2ms, [&] { await(kept_late.get_future()); }), timed_out);
        EXPECT_EQ(stats().coroutines, 1u);
    });
    kept_late.set_value(5);
}

TEST_P(Await, ACancelledOneLeavesThePromiseUsable) {
    run([] {
        std::promise<int> promise;
        auto waiter = spawn([&] { return await(promise.get_future()); });
        for (int i = 0; i != 5; ++i) yield();
        waiter.request_stop();
        EXPECT_THROW(waiter.join(), coroutine_cancelled);
        promise.set_value(3);
    });
}

}  // namespace
}  // namespace weft::test
