// Must not compile: the object is gone when the function is called.
#include <weft/gc.hpp>

void arrange(const weft::gc::ptr<int>& p) {
    weft::gc::cleanup(p, [](int*) {});
}
