// Coroutines that hand numbers on to each other, as a program of a package's user would.
#include <weft/weft.hpp>

#include <cstdio>

int main() {
    int sum = 0;
    const int status = weft::run([&] {
        weft::chan<int> numbers(2);
        weft::scope scope;
        scope.go([=] {
            for (int i = 1; i <= 8; ++i) numbers.send(i);
            numbers.close();
        });
        for (const int n : numbers) sum += n;
        scope.join();
    });
    const bool same = weft::library_version() == weft::header_version;
    std::printf("weft from Conan: the sum is %d\n", sum);
    return status == 0 && sum == 36 && same ? 0 : 1;
}
