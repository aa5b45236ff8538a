// The same as random_program_test.cpp for as long as one likes.
//   WEFT_STRESS_SEED=n    the first program
//   WEFT_STRESS_SCALE=n   n times as many
#include "random_program.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

namespace weft::test {
namespace {

class RandomPrograms : public plain_runtime {
protected:
    RandomPrograms() { seconds_ = 3500; }
};

TEST_F(RandomPrograms, HoldUnderVeryManySchedules) {
    const std::uint64_t seed = stress_seed();
    explore_programs(seed, stress_rounds(20'000), 20);
}

}  // namespace
}  // namespace weft::test
