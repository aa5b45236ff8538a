// A plug-in that was compiled for split stacks.
#include <weft/weft.hpp>

#include <stdexcept>

namespace {

thread_local int calls = 5;

[[gnu::noinline]] int descend(int frames) {
    volatile char frame[300];
    frame[0] = 1;
    if (frames == 0) {
        ++calls;
        return 0;
    }
    return descend(frames - 1) + frame[0];
}

[[gnu::noinline]] int descend_and_throw(int frames) {
    volatile char frame[300];
    frame[0] = 1;
    if (frames == 0) throw std::runtime_error("from a module");
    return descend_and_throw(frames - 1) + frame[0];
}

}  // namespace

extern "C" int weft_test_module_work(weft::chan<int>& results) {
    const int depth = descend(500);
    results.send(depth);
    try {
        descend_and_throw(100);
    } catch (const std::runtime_error&) {
        descend(300);
    }
    return depth + calls;
}

extern "C" void weft_test_module_fail(int frames) { descend_and_throw(frames); }
