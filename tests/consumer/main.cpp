// A program of somebody else's: one coroutine spawned, one value joined, headers and library of one
// version.

#include <weft/weft.hpp>

#include <cstdio>

int main() {
    if (!(weft::library_version() == weft::header_version)) {
        std::puts("consumer: the headers and the library differ");
        return 1;
    }
    int answer = 0;
    const int status = weft::run([&] {
        auto half = weft::spawn([] { return 21; });
        answer = 2 * half.join();
    });
    std::printf("consumer: %d\n", answer);
    return status == 0 && answer == 42 ? 0 : 1;
}
