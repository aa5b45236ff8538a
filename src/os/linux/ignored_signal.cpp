#include "os/ignored_signal.hpp"

#include <signal.h>

namespace weft::detail {
namespace {

bool replace(int signal, void (*from)(int), void (*to)(int)) noexcept {
    struct sigaction current {};
    if (::sigaction(signal, nullptr, &current) != 0) return false;
    if ((current.sa_flags & SA_SIGINFO) != 0 || current.sa_handler != from) return false;
    return ::signal(signal, to) != SIG_ERR;
}

}  // namespace

bool stop_ignoring(int signal) noexcept { return replace(signal, SIG_IGN, SIG_DFL); }
void ignore_again(int signal) noexcept { (void)replace(signal, SIG_DFL, SIG_IGN); }

}  // namespace weft::detail
