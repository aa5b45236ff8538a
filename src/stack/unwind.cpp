#include "stack/unwind.hpp"

#include "arch/unwind.hpp"
#include "stack/reserved_stack.hpp"
#include "stack/segment.hpp"

#include <algorithm>
#include <array>

namespace weft::detail {
namespace {

struct walk {
    std::span<std::uintptr_t> frames;
    std::size_t size = 0;
    std::size_t skip = 0;
    bool until_signal = false;  // Nothing counts before the frame that a signal has interrupted.
    const stack_space* space = nullptr;  // Null: wherever it leads.
    std::uintptr_t end = 0;              // Where the last frame ends.

    _Unwind_Reason_Code visit(_Unwind_Context* at) noexcept {
        if (skip != 0) {
            --skip;
            return _URC_NO_REASON;
        }
        int interrupted = 0;
        const std::uintptr_t address = _Unwind_GetIPInfo(at, &interrupted);
        if (until_signal) {
            if (interrupted == 0) return _URC_NO_REASON;
            until_signal = false;
        }
        if (address == 0 || size == frames.size()) return _URC_END_OF_STACK;
        // The next step reads what lies there: damaged frames end the walk, not the process.
        const std::uintptr_t frame_end = _Unwind_GetCFA(at);
        if (space != nullptr && !space->holds(frame_end)) return _URC_END_OF_STACK;
        end = frame_end;
        // Who was interrupted goes on at the very instruction.
        frames[size++] = address + (interrupted != 0 ? 1 : 0);
        return _URC_NO_REASON;
    }

    // Below the first function of a stack there is what made the stack, which no unwinder knows.
    void drop_maker() noexcept {
        if (size == 0) return;
        const std::uintptr_t last = frames[size - 1] - 1;
        if (_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(last)) == nullptr) --size;
    }

    static _Unwind_Reason_Code each(_Unwind_Context* at, void* self) {
        return static_cast<walk*>(self)->visit(at);
    }
};

struct ends_walk {
    stack_ends& ends;
    std::size_t skip = 0;
    bool until_signal = false;

    _Unwind_Reason_Code visit(_Unwind_Context* at) noexcept {
        if (skip != 0) {
            --skip;
            return _URC_NO_REASON;
        }
        int interrupted = 0;
        const std::uintptr_t address = _Unwind_GetIPInfo(at, &interrupted);
        if (until_signal) {
            if (interrupted == 0) return _URC_NO_REASON;
            until_signal = false;
        }
        if (address == 0 || ends.count == frames_walked_max) return _URC_END_OF_STACK;
        const std::uintptr_t frame = address + (interrupted != 0 ? 1 : 0);
        if (ends.count < ends.first.size()) {
            ends.first[ends.count] = frame;
        } else {
            ends.last[ends.count % ends.last.size()] = frame;
        }
        ++ends.count;
        return _URC_NO_REASON;
    }

    void drop_maker() noexcept {
        const std::size_t kept = ends.kept();
        if (kept != 0 && !knows_function_at(ends.frame(kept - 1) - 1)) --ends.count;
    }

    static _Unwind_Reason_Code each(_Unwind_Context* at, void* self) {
        return static_cast<ends_walk*>(self)->visit(at);
    }
};

}  // namespace

std::size_t stack_ends::kept() const noexcept {
    return std::min(count, first.size() + last.size());
}

std::uintptr_t stack_ends::frame(std::size_t i) const noexcept {
    if (i < first.size()) return first[i];
    return last[(i + left_out()) % last.size()];
}

bool knows_function_at(std::uintptr_t address) noexcept {
    return _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(address)) != nullptr;
}

[[gnu::noinline]] void unwind_ends_here(stack_ends& ends) noexcept {
    ends.count = 0;
    ends_walk w{.ends = ends, .skip = 1};
    _Unwind_Backtrace(&ends_walk::each, &w);
    w.drop_maker();
}

[[gnu::noinline]] void unwind_ends_interrupted(stack_ends& ends) noexcept {
    ends.count = 0;
    ends_walk w{.ends = ends, .until_signal = true};
    _Unwind_Backtrace(&ends_walk::each, &w);
    w.drop_maker();
}

bool stack_space::holds(std::uintptr_t address) const noexcept {
    for (const segment* s = newest; s != nullptr; s = s->below) {
        // The frame of a segment's first function ends where its header begins.
        if (s->holds(address - 1)) return true;
    }
    if (address >= thread_low && address < thread_high) return true;
    const stack_hit hit = stacks.find(address);
    return hit.stack && !hit.in_guard;
}

std::size_t unwind_parked(const void* context, const stack_space& space,
                          std::span<std::uintptr_t> frames) noexcept {
    if (!weft_goes_on_at_resume(context)) return 0;
    walk w{.frames = frames, .skip = 1, .space = &space};
    weft_unwind_parked(context, &walk::each, &w);
    w.drop_maker();
    return w.size;
}

[[gnu::noinline]] std::size_t unwind_blocked(const thread_place& at, const stack_space& space,
                                             std::span<std::uintptr_t> frames) noexcept {
    if (!space.holds(at.sp)) return 0;
    walk w{.frames = frames, .space = &space};
    thread_place from = at;
    for (const segment* s = space.newest;; s = s->below) {
        w.skip = 1;
        weft_unwind_from(&from, &walk::each, &w);
        // The frame that crosses to another segment is found by rbp, which nobody below it may have saved. The segment knows it.
        while (s != nullptr && s->below != nullptr && !s->holds(w.end - 1)) s = s->below;
        if (s == nullptr || s->below == nullptr || w.size == frames.size()) break;
        const auto crossing = reinterpret_cast<std::uintptr_t>(s->crossing);
        if (!space.holds(crossing)) break;
        from = {reinterpret_cast<const std::uintptr_t*>(crossing)[1], crossing + 16};
    }
    w.drop_maker();
    return w.size;
}

[[gnu::noinline]] std::size_t unwind_here(std::span<std::uintptr_t> frames) noexcept {
    walk w{.frames = frames, .skip = 1};
    _Unwind_Backtrace(&walk::each, &w);
    w.drop_maker();
    return w.size;
}

[[gnu::noinline]] bool is_called_by(const void* function) noexcept {
    std::array<std::uintptr_t, 64> frames;
    const std::size_t count = unwind_here(frames);
    // A call is before the frame, and may be its function's last instruction.
    return std::any_of(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](std::uintptr_t frame) {
                           return _Unwind_FindEnclosingFunction(
                                      reinterpret_cast<void*>(frame - 1)) == function;
                       });
}

[[gnu::noinline]] std::size_t unwind_interrupted(std::span<std::uintptr_t> frames) noexcept {
    walk w{.frames = frames, .until_signal = true};
    _Unwind_Backtrace(&walk::each, &w);
    w.drop_maker();
    return w.size;
}

}  // namespace weft::detail
