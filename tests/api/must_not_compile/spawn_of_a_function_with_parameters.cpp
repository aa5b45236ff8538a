// A function that wants an argument, and gets none.
#include <weft/weft.hpp>

int start() {
    return weft::spawn([](int n) { return n; }).join();
}
