// A plug-in whose one function runs coroutines: they wait for each other, throw, keep values of their own, and are on more
// than one thread.
#include <weft/weft.hpp>

#include <stdexcept>

extern "C" int answer() {
    weft::local<int> mine{1};
    int sum = 0;
    const int status = weft::run([&] {
        weft::chan<int> numbers(4);
        weft::scope helpers;
        for (int i = 0; i != 8; ++i) {
            helpers.go([&, i] {
                mine.get() += i;
                weft::yield();
                numbers.send(mine.get() - 1);
            });
        }
        for (int i = 0; i != 8; ++i) sum += numbers.recv().value();
        helpers.join();
        auto fails = weft::spawn([]() -> int { throw std::runtime_error("14"); });
        try {
            fails.join();
        } catch (const std::runtime_error& e) {
            sum += std::stoi(e.what());
        }
    });
    return status == 0 ? sum : -1;
}
