// For tests that hold an object in a certain place alone.
//
// A weak pointer tells whether the object is still there. It is made together with the object in a frame that is gone when the
// collection comes, and what that has left on the stack is overwritten.
#pragma once

#include <weft/gc.hpp>

#include <array>
#include <cstdint>

namespace weft::test {

struct thing {
    explicit thing(int v) : value(v) {}
    gc::ptr<thing> next;
    int value;
    std::array<std::uint64_t, 4> filler{};
};

[[gnu::noinline]] inline void overwrite_stack() {
    std::array<volatile char, 2048> room;
    for (auto& byte : room) byte = 1;
}

// Makes an object, and has `place` put the pointer where it is to be held.
template <class F>
[[gnu::noinline]] gc::weak<thing> hold_in(F&& place) {
    auto made = gc::make<thing>(42);
    place(made.get());
    return gc::weak<thing>(made);
}

[[gnu::noinline]] inline bool is_there(const gc::weak<thing>& w) {
    const gc::ptr<thing> p = w.lock();
    return p != nullptr && p->value == 42;
}

inline void collect_twice() {
    overwrite_stack();
    gc::collect();
    gc::collect();
}

}  // namespace weft::test
