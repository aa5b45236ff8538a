// Histories to be checked: rounds of a few coroutines and threads that use one object at the same time.
#pragma once

#include "support/linearizable.hpp"
#include "support/stress.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {

/// Brings the participants of a round together, or most of them: where there are fewer cores than threads it may
/// take long.
class rough_barrier {
public:
    explicit rough_barrier(unsigned count) noexcept : expected_(count) {}

    void arrive() {
        arrived_.fetch_add(1);
        for (int i = 0; i != 50 && arrived_.load() < expected_; ++i) weft::yield();
    }

private:
    const unsigned expected_;
    std::atomic<unsigned> arrived_{0};
};

inline std::minstd_rand randoms_of_participant(unsigned me, std::uint64_t seed) {
    std::minstd_rand random(static_cast<std::uint32_t>(seed * 31 + me + 1));
    random.discard(2);
    return random;
}

struct history_shape {
    unsigned processors;
    unsigned participants;
    unsigned threads;      // So many of them are threads that aren't the runtime's.
    std::uint64_t rounds;  // In a plain build.
};

/// make() -> unique_ptr<Round>, which has take_part(number of the participant, seed of the round); explain(round) ->
/// what to say of a history that has no explanation, or "".
template <class Make, class Explain>
void run_history_rounds(const history_shape& shape, Make&& make, Explain&& explain) {
    using round = typename decltype(make())::element_type;
    const std::uint64_t seed = stress_seed();
    const std::uint64_t rounds = stress_rounds(shape.rounds);
    std::atomic<round*> current{nullptr};
    std::atomic<std::uint64_t> number{0};
    std::atomic<unsigned> ended{0};
    const auto foreign = [&](unsigned me) {
        for (std::uint64_t n = 1; n <= rounds; ++n) {
            for (std::uint64_t seen = 0; (seen = number.load()) < n;) number.wait(seen);
            current.load()->take_part(me, seed + n);
            ended.fetch_add(1);
            ended.notify_one();
        }
    };
    std::vector<std::thread> others;
    for (unsigned i = 0; i != shape.threads; ++i)
        others.emplace_back(foreign, shape.participants - 1 - i);
    weft::run(
        [&] {
            for (std::uint64_t n = 1; n <= rounds; ++n) {
                const auto now = make();
                current.store(now.get());
                ended.store(0);
                number.store(n);
                number.notify_all();
                {
                    scope s;
                    for (unsigned me = 0; me != shape.participants - shape.threads; ++me)
                        s.go([&now, me, seed, n] { now->take_part(me, seed + n); });
                    s.join();
                }
                blocking([&] {
                    for (unsigned seen = 0; (seen = ended.load()) != shape.threads;)
                        ended.wait(seen);
                });
                const std::string unexplained = explain(*now);
                if (!unexplained.empty() && !::testing::Test::HasFailure())
                    ADD_FAILURE() << "round " << n << " has no explanation:\n" << unexplained;
            }
        },
        {.processors = shape.processors});
    for (auto& thread : others) thread.join();
}

}  // namespace weft::test
