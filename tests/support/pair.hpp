// A load: two coroutines that hand their turn to each other, and compute in it.
#pragma once

#include <weft/weft.hpp>

#include <chrono>

namespace weft::test {

/// Starts both in `s`. They end after `stop`, a bool or an atomic one, has become true.
template <class Stop>
void start_pair(scope& s, const Stop& stop, std::chrono::nanoseconds turn) {
    chan<int> there;
    chan<int> back;
    s.go([&stop, there, back, turn]() mutable {
        while (!stop) {
            testing::compute(turn);
            there.send(1);
            back.recv();
        }
        there.close();
    });
    s.go([there, back, turn]() mutable {
        while (there.recv()) {
            testing::compute(turn);
            back.send(1);
        }
    });
}

}  // namespace weft::test
