// A program of 0.1: mutexes, condition variables and what counts.

#include "check.hpp"

#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/sync/barrier.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/latch.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/once.hpp>
#include <weft/sync/semaphore.hpp>
#include <weft/sync/shared_mutex.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <utility>

using namespace std::chrono_literals;

namespace {

// Each may be a global, initialised before anything runs.
constinit weft::mutex global_mutex;
constinit weft::condition_variable global_condition;
constinit weft::once_flag global_once;
constinit weft::wait_group global_group;

const auto soon = [] { return weft::clock::now() + 1us; };

template <class Mutex>
void lock_and_unlock(Mutex& m) {
    const std::lock_guard<Mutex> hold(m);
}

template <class Mutex>
void timed(Mutex& m) {
    lock_and_unlock(m);
    m.lock_or_cancel();
    m.unlock();
    CHECK(m.try_lock());
    weft::spawn([&] {
        CHECK(!m.try_lock() && !m.try_lock_for(1us) && !m.try_lock_until(soon()));
    }).join();
    m.unlock();
    const std::unique_lock<Mutex> in_time(m, 1h);
    CHECK(in_time.owns_lock());
}

void mutexes() {
    lock_and_unlock(global_mutex);
    global_mutex.lock_or_cancel();
    CHECK(throws<std::logic_error>([] { global_mutex.lock(); }));
    global_mutex.unlock();
    CHECK(global_mutex.try_lock());
    global_mutex.unlock();

    weft::timed_mutex plain;
    timed(plain);
    weft::recursive_timed_mutex again;
    timed(again);
    weft::recursive_mutex twice;
    twice.lock();
    twice.lock_or_cancel();
    CHECK(twice.try_lock());
    twice.unlock();
    twice.unlock();
    twice.unlock();

    weft::shared_mutex shared;
    timed(shared);
    weft::shared_timed_mutex& same = shared;
    {
        const std::shared_lock<weft::shared_mutex> first(same);
        CHECK(same.try_lock_shared());
        same.unlock_shared();
        same.lock_shared_or_cancel();
        same.unlock_shared();
        CHECK(same.try_lock_shared_for(1h));
        same.unlock_shared();
        CHECK(same.try_lock_shared_until(weft::clock::now() + 1h));
        same.unlock_shared();
        CHECK(!same.try_lock());
    }
    same.lock_shared();
    same.unlock_shared();
}

void conditions() {
    bool ready = false;
    weft::join_handle<void> waker = weft::spawn([&] {
        const std::lock_guard<weft::mutex> hold(global_mutex);
        ready = true;
        global_condition.notify_one();
        global_condition.notify_all();
    });
    std::unique_lock<weft::mutex> lock(global_mutex);
    const auto done = [&] { return ready; };
    const auto never = [] { return false; };
    while (!ready) global_condition.wait(lock);
    global_condition.wait(lock, done);
    waker.join();
    CHECK(global_condition.wait_for(lock, 1us) == std::cv_status::timeout);
    CHECK(global_condition.wait_until(lock, soon()) == std::cv_status::timeout);
    CHECK(global_condition.wait_for(lock, 1h, done) &&
          !global_condition.wait_for(lock, 1us, never));
    CHECK(global_condition.wait_until(lock, soon(), done));
    std::stop_source stop;
    CHECK(global_condition.wait(lock, stop.get_token(), done));
    CHECK(!global_condition.wait_for(lock, stop.get_token(), 1us, never));
    stop.request_stop();
    CHECK(!global_condition.wait_until(lock, stop.get_token(), weft::clock::now() + 1h, never));

    weft::timed_mutex other;
    weft::condition_variable_any any;
    std::unique_lock<weft::timed_mutex> other_lock(other);
    CHECK(any.wait_for(other_lock, 1us) == std::cv_status::timeout);
}

void counters() {
    weft::counting_semaphore<> permits(2);
    static_assert(weft::binary_semaphore::max() == 1 && weft::counting_semaphore<>::max() > 1);
    permits.acquire();
    CHECK(permits.try_acquire() && !permits.try_acquire());
    CHECK(!permits.try_acquire_for(1us) && !permits.try_acquire_until(soon()));
    permits.release();
    permits.release(2);
    weft::binary_semaphore one(0);
    CHECK(throws<std::logic_error>([&] { one.release(2); }));

    static_assert(weft::latch::max() > 1);
    weft::latch latch(3);
    CHECK(!latch.try_wait());
    latch.count_down();
    weft::join_handle<void> other = weft::spawn([&] { latch.arrive_and_wait(); });
    latch.count_down(1);
    latch.wait();
    other.join();
    CHECK(latch.try_wait());

    global_group.add();
    global_group.add(2);
    for (int i = 0; i < 3; ++i) weft::go([] { global_group.done(); });
    global_group.wait();
    CHECK(global_group.try_wait());
    weft::wait_group counted(1);
    counted.done();

    int phases = 0;
    auto completion = [&]() noexcept { ++phases; };
    static_assert(weft::barrier<>::max() > 1);
    weft::barrier barrier(2, completion);
    weft::join_handle<void> partner = weft::spawn([&] {
        barrier.arrive_and_wait();
        barrier.arrive_and_drop();
    });
    barrier.arrive_and_wait();
    weft::barrier<decltype(completion)>::arrival_token token = barrier.arrive();
    barrier.wait(std::move(token));
    partner.join();
    CHECK(phases == 2);
}

void once() {
    int calls = 0;
    CHECK(throws<std::runtime_error>(
        [] { weft::call_once(global_once, [] { throw std::runtime_error("on purpose"); }); }));
    weft::call_once(
        global_once, [&](int n) { calls += n; }, 1);
    weft::call_once(global_once, [&] { calls += 10; });
    CHECK(calls == 1);
}

}  // namespace

int main() {
    return weft::run([] {
        mutexes();
        conditions();
        counters();
        once();
    });
}
