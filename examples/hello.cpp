// The first program: coroutines that wait for each other, and for the time.
#include <weft/weft.hpp>

#include <iostream>

using namespace std::chrono_literals;

void help(int number) {
    weft::sleep_for(number * 100ms);  // Only this coroutine waits.
    std::cout << "helper " << number << " is done\n";
}

int main() {
    return weft::run([] {
        auto answer = weft::spawn([] { return 6 * 7; });

        weft::scope helpers;  // None of its coroutines outlives it.
        for (int number : {3, 1, 2}) helpers.go([=] { help(number); });
        helpers.join();

        try {
            weft::with_timeout(20ms, [] { weft::sleep_for(1h); });
        } catch (const weft::timed_out&) {
            std::cout << "an hour is too long\n";
        }
        std::cout << "the answer is " << answer.join() << '\n';
    });
}
