// The same as channel_program_test.cpp for as long as one likes.
//   WEFT_STRESS_SEED=n    the first program
//   WEFT_STRESS_SCALE=n   n times as many
#include "channel_program.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace weft::test {
namespace {

class ChannelPrograms : public plain_runtime {
protected:
    ChannelPrograms() { seconds_ = 3500; }

    template <class T>
    static void explore_both(std::uint64_t seed) {
        explore_channel_programs<T>(seed, stress_rounds(10'000), 10, true);
        explore_channel_programs<T>(seed, stress_rounds(10'000), 10, false);
    }
};

TEST_F(ChannelPrograms, OfIntegersHoldUnderVeryManySchedules) {
    explore_both<std::int64_t>(stress_seed());
}
TEST_F(ChannelPrograms, OfStringsHoldUnderVeryManySchedules) {
    explore_both<std::string>(stress_seed());
}
TEST_F(ChannelPrograms, OfPointersHoldUnderVeryManySchedules) {
    explore_both<std::unique_ptr<std::int64_t>>(stress_seed());
}
TEST_F(ChannelPrograms, OfCountedValuesHoldUnderVeryManySchedules) {
    explore_both<counted_value>(stress_seed());
}
TEST_F(ChannelPrograms, OfThrowingValuesHoldUnderVeryManySchedules) {
    explore_channel_programs<throwing_value>(stress_seed(), stress_rounds(10'000), 20, false);
}

}  // namespace
}  // namespace weft::test
