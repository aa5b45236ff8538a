// Random programs of channels under simulated schedules; see channel_program.hpp. The seeds of program and schedule
// are in the message of a failure, and replay it.
#include "channel_program.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace weft::test {
namespace {

template <class T>
class ChannelProgram : public plain_runtime {};

using payloads = ::testing::Types<std::int64_t, wide, std::string, std::unique_ptr<std::int64_t>,
                                  counted_value, throwing_value>;

struct name_of_payload {
    template <class T>
    static std::string GetName(int i) {
        static constexpr const char* names[] = {"Integers", "WideValues",    "Strings",
                                                "Pointers", "CountedValues", "ThrowingValues"};
        return names[i];
    }
};

TYPED_TEST_SUITE(ChannelProgram, payloads, name_of_payload);

TYPED_TEST(ChannelProgram, FollowsTheModelUnderManySchedules) {
    explore_channel_programs<TypeParam>(1, 300 / slowdown, 8, true);
}

TYPED_TEST(ChannelProgram, KeepsItsAccountsWhenMomentsCoincide) {
    explore_channel_programs<TypeParam>(10'001, 200 / slowdown, 8, false);
}

}  // namespace
}  // namespace weft::test
