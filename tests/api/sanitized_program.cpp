// An instrumented program with a weft that is not: it says so. Nothing is thrown here, which AddressSanitizer would report.
#include <weft/weft.hpp>

int main() {
    return weft::run([] { weft::spawn([] {}).join(); });
}
