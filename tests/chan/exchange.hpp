// What the stresses of channels share: values with a number, and an account of them.
#pragma once

#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weft::test {

/// A value of plain data, so that the thread sanitizer sees what it travels on.
struct parcel {
    std::uint64_t number;
    std::uint64_t check;
};

template <class T>
struct numbered {
    static T make(std::uint64_t n) { return {n, ~n}; }
    static std::uint64_t number(const T& p) {
        EXPECT_EQ(p.check, ~p.number);
        return p.number;
    }
};
template <>
struct numbered<std::unique_ptr<parcel>> {
    static std::unique_ptr<parcel> make(std::uint64_t n) {
        return std::make_unique<parcel>(parcel{n, ~n});
    }
    static std::uint64_t number(const std::unique_ptr<parcel>& p) {
        return numbered<parcel>::number(*p);
    }
};
template <>
struct numbered<std::string> {
    static std::string make(std::uint64_t n) { return std::string(30, '0') + std::to_string(n); }
    static std::uint64_t number(const std::string& s) { return std::stoull(s); }
};

/// Which values were sent, and which received.
class account {
public:
    explicit account(std::size_t values) : sent_(values), received_(values) {}

    void sent(std::uint64_t n) { ++sent_[n]; }
    void received(std::uint64_t n) { ++received_[n]; }

    void expect_settled() const {
        for (std::size_t n = 0; n != sent_.size(); ++n) {
            if (sent_[n] != received_[n]) {
                ADD_FAILURE() << "value " << n << " was sent " << int{sent_[n]}
                              << " times and received " << int{received_[n]} << " times";
                return;
            }
        }
    }

private:
    std::vector<std::atomic<std::uint8_t>> sent_;
    std::vector<std::atomic<std::uint8_t>> received_;
};

using randoms = std::minstd_rand;

inline randoms randoms_of(std::uint64_t seed, std::uint64_t who) {
    randoms random(static_cast<std::uint32_t>(seed * 2654435761u + who * 97 + 1));
    random.discard(3);
    return random;
}

inline void linger(std::uint64_t steps) {
    for (; steps != 0; --steps) std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// Runtimes of 2 and 8 processors.
class channel_stress : public with_runtime {
protected:
    /// Runs each of `bodies` in a coroutine, or on a thread: those with an odd index, up to `threads`.
    template <class Body>
    static void run_crowd(std::size_t count, std::size_t threads, Body&& body) {
        std::vector<std::thread> others;
        for (std::size_t i = 1; i < count && others.size() != threads; i += 2)
            others.emplace_back([&body, i] { body(i); });
        run([&] {
            scope s;
            for (std::size_t i = 0; i != count; ++i) {
                if (i % 2 == 1 && i / 2 < threads) continue;
                s.go([&body, i] { body(i); });
            }
            s.join();
            blocking([&] {
                for (std::thread& one : others) one.join();
            });
        });
    }
};

}  // namespace weft::test
