// What tests of split stacks share: coroutines on segments, and looking at these.
#pragma once

#include "sched/coroutine.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "stack/segment.hpp"

#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace weft::test {

using detail::segment;

/// Runs f in a coroutine under a runtime of its own. Main's own stack is a reserved one.
template <class F>
void in_coroutine(F&& f, const options& opts = {}) {
    weft::run([&] { spawn([&] { f(); }).join(); }, opts);
}

/// The newest segment of the calling coroutine. Without any call, also where nothing is optimised: it might be on
/// another one. So this reads as assembly does.
[[gnu::always_inline]] inline segment& newest_segment() noexcept {
    const char* const block = reinterpret_cast<const char*>(detail::this_thread_block());
    const char* const self = *reinterpret_cast<const char* const volatile*>(block + BLOCK_CURRENT);
    return **reinterpret_cast<segment* const volatile*>(self + COROUTINE_STACK);
}

inline std::size_t chain_length(const segment* newest) noexcept {
    std::size_t n = 0;
    for (; newest != nullptr; newest = newest->below) ++n;
    return n;
}

/// Bytes between the caller's frame, about, and where the newest segment has no more room.
[[gnu::always_inline]] inline std::size_t room_left() noexcept {
    std::uintptr_t stack_pointer;
    asm volatile("movq %%rsp, %0" : "=r"(stack_pointer));
    const auto limit = reinterpret_cast<std::uintptr_t>(newest_segment().limit);
    // A small frame may reach below the limit, into the red zone.
    return stack_pointer > limit ? stack_pointer - limit : 0;
}

/// Calls f with about `room` bytes left on the segment that it is called on, or with what there is if that is less.
template <class F>
[[gnu::noinline]] void with_room(std::size_t room, F&& f) {
    const std::size_t left = room_left();
    const std::size_t pad =
        left > room + 16 ? left - room - 16 : 0;  // 16: of the alignment of the pad.
    auto* const filler = static_cast<volatile char*>(__builtin_alloca(pad + 1));
    filler[0] = 1;
    f();
    filler[pad] = 2;
}

/// Calls f on a segment of 8 KiB, which then has 2.5 KiB left.
template <class F>
[[gnu::noinline]] void on_larger_segment(F&& f) {
    volatile char frame[5'000];
    frame[0] = 1;
    f();
    frame[4'999] = frame[0];
}

constexpr std::size_t rooms_max = 2'400;

/// Calls f where 0 to `most` bytes are left, in steps of 16. With what a crossing needs itself, a small frame fits in
/// less than rooms_max.
template <class F>
void at_every_room(F&& f, std::size_t most = rooms_max) {
    for (std::size_t room = 0; room < 256; room += 16) with_room(room, f);
    on_larger_segment([&] {
        for (std::size_t room = 0; room <= most; room += 16) with_room(room, f);
    });
}

/// Bytes of segments that processors keep. Nobody else may run.
inline std::uint64_t bytes_cached() noexcept {
    std::uint64_t bytes = 0;
    for (const detail::processor* const p : detail::sched.all_processors()) {
        if (p == nullptr) continue;
        for (unsigned c = 0; c != SEGMENT_CLASSES; ++c) {
            const std::int64_t kept =
                detail::segment_cache::capacity_of(c) - p->segments.lists[c].room;
            bytes += static_cast<std::uint64_t>(kept) * detail::size_of_class(c);
        }
        for (const segment* s = p->segments.left_behind; s != nullptr; s = s->link) {
            bytes += s->size();
        }
    }
    return bytes;
}

/// Waits until no segment is anywhere but in the pool and with the processors: until the coroutines that have
/// been joined have given back theirs. Only in main, when no other coroutine is left.
inline void wait_for_segments() {
    wait_until([] { return detail::sched.segments.bytes_out() == bytes_cached(); });
}

/// Uses `bytes` of stack, in frames of 256 bytes and more.
[[gnu::noinline]] inline int touch_deeper(std::size_t bytes) {
    volatile char frame[256];
    frame[0] = static_cast<char>(bytes);
    frame[255] = 1;
    if (bytes < 512) return frame[0];
    return touch_deeper(bytes - 256) + frame[255];
}

}  // namespace weft::test
