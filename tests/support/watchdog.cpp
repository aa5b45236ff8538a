#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include <signal.h>
#include <unistd.h>

namespace weft::test {
namespace {

char message[512];

void bark(int) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message, std::strlen(message));
    std::abort();
}

}  // namespace

watchdog::watchdog(unsigned seconds) {
    std::string text = "the watchdog ends a test that hangs";
    if (const testing::TestInfo* const info =
            testing::UnitTest::GetInstance()->current_test_info()) {
        text += std::string(": ") + info->test_suite_name() + "." + info->name();
    }
    text += "\n";
    text.resize(std::min(text.size(), sizeof(message) - 1));
    std::memcpy(message, text.c_str(), text.size() + 1);

    struct sigaction action {};
    action.sa_handler = bark;
    action.sa_flags = SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(seconds);
}

watchdog::~watchdog() {
    ::alarm(0);
    ::signal(SIGALRM, SIG_DFL);
}

}  // namespace weft::test
