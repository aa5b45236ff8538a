// When nothing can ever run again: said, and only then.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_base_of_v<std::runtime_error, deadlock>);

// Two coroutines that wait for each other.
class embrace {
public:
    embrace() {
        first_ = spawn({.name = "first"}, [this] {
            wait_until([this] { return both_.load(); });
            second_.join();
        });
        second_ = spawn({.name = "second"}, [this] {
            wait_until([this] { return both_.load(); });
            first_.join();
        });
        both_ = true;
    }
    static constexpr int first_line = __LINE__ - 10;
    static constexpr int second_line = __LINE__ - 7;

    void wait() {
        while (both_) spawn({.name = "third"}, [this] { second_like_.join(); }).join();
    }

private:
    std::atomic<bool> both_{false};
    join_handle<void> first_;
    join_handle<void> second_;
    join_handle<void> second_like_;
};

class Deadlock : public with_runtime {};
WEFT_TEST_PROCESSORS(Deadlock);

}  // namespace
}  // namespace weft::test
