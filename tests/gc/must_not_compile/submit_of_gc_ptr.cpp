// Must not compile: the shared state of a future lies in malloc memory.
#include <weft/gc.hpp>
#include <weft/runtime.hpp>

auto use(weft::runtime& r) {
    return r.submit([] { return weft::gc::make<int>(1); });
}
