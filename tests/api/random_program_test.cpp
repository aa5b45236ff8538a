// Random programs under simulated schedules; see random_program.hpp. The seeds of program and schedule are in
// the message of a failure, and replay it.
#include "random_program.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class RandomProgram : public plain_runtime {};

TEST_F(RandomProgram, HoldsUnderManySchedules) { explore_programs(1, 300 / slowdown, 10); }

}  // namespace
}  // namespace weft::test
