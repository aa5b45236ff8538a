// A program of 0.1: signals of the system as values of a channel.

#include "check.hpp"

#include <weft/runtime.hpp>
#include <weft/signal.hpp>

#include <csignal>
#include <stdexcept>

#include <unistd.h>

int main() {
    return weft::run([] {
        weft::receiver<int> some = weft::signal_channel({SIGUSR1, SIGUSR2});
        CHECK(::kill(::getpid(), SIGUSR1) == 0);
        CHECK(some.recv() == SIGUSR1);
        CHECK(throws<std::invalid_argument>(
            [] { static_cast<void>(weft::signal_channel({SIGKILL})); }));
    });
}
