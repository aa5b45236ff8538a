// Workload C1 on weft: the smallest program that starts one coroutine and waits for it.
#include <weft/go.hpp>
#include <weft/runtime.hpp>

int main() {
    return weft::run([] { weft::spawn([] {}).join(); });
}
