// Coroutines of both kinds in one program, which talk to each other. 0 when all is right.
#include "mixed.hpp"

#include <weft/weft.hpp>

#include <cstdio>

namespace {

[[gnu::noinline]] int descend(int frames) {
    volatile char frame[300];
    frame[0] = 1;
    return frames == 0 ? 0 : descend(frames - 1) + frame[0];
}

}  // namespace

int main() {
    return weft::run([] {
        constexpr int count = 1000;
        weft::chan<long> numbers;
        auto sender = weft::spawn([&numbers] {
            for (int i = 0; i != count; ++i) numbers.send(descend(i % 50));
        });
        long expected = 0;
        for (int i = 0; i != count; ++i) expected += i % 50;
        const long sum = mixed::reserved_sum(numbers, count);
        sender.join();
        // And through each other's frames.
        int depth = 0;
        weft::spawn([&depth] {
            mixed::call_back(
                [](void* into) {
                    weft::yield();
                    *static_cast<int*>(into) = descend(500);
                },
                &depth);
        }).join();
        std::printf("%ld of %ld, %d of 500\n", sum, expected, depth);
        return sum == expected && depth == 500 ? 0 : 1;
    });
}
