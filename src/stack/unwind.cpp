#include "stack/unwind.hpp"

#include "arch/unwind.hpp"
#include "stack/reserved_stack.hpp"
#include "stack/segment.hpp"

#include <algorithm>
#include <array>

namespace weft::detail {
namespace {

// The part of a walk that decides which frames count.
struct frame_filter {
    std::size_t skip = 0;       // The innermost, which are the unwinding itself.
    bool until_signal = false;  // Nothing counts before the frame that a signal has interrupted.

    // Returns the address to go on at in this frame; 0 at the end of the stack. Returns `uncounted` for a frame to pass by.
    std::uintptr_t address_in(_Unwind_Context* at) noexcept {
        if (skip != 0) {
            --skip;
            return uncounted;
        }
        int interrupted = 0;
        const std::uintptr_t address = _Unwind_GetIPInfo(at, &interrupted);
        if (until_signal) {
            if (interrupted == 0) return uncounted;
            until_signal = false;
        }
        if (address == 0) return 0;
        // An interrupted frame goes on at the very instruction.
        return address + (interrupted != 0 ? 1 : 0);
    }

    static constexpr std::uintptr_t uncounted = UINTPTR_MAX;
};

template <class Walk>
_Unwind_Reason_Code visit_frame(_Unwind_Context* at, void* walk) {
    Walk& w = *static_cast<Walk*>(walk);
    const std::uintptr_t address = w.counts.address_in(at);
    if (address == frame_filter::uncounted) return _URC_NO_REASON;
    return address != 0 && w.add(address, at) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

struct walk {
    std::span<std::uintptr_t> frames;
    frame_filter counts = {};
    std::size_t size = 0;
    const stack_space* space = nullptr;  // If null, the walk goes wherever it leads.
    std::uintptr_t end = 0;              // Where the last frame ends.

    bool add(std::uintptr_t address, _Unwind_Context* at) noexcept {
        if (size == frames.size()) return false;
        // The next step reads what lies there: damaged frames end the walk, not the process.
        const std::uintptr_t frame_end = _Unwind_GetCFA(at);
        if (space != nullptr && !space->holds(frame_end)) return false;
        end = frame_end;
        frames[size++] = address;
        return true;
    }

    // Below the first function of a stack there is what made the stack, which no unwinder knows.
    void drop_maker() noexcept {
        if (size != 0 && !knows_function_at(frames[size - 1] - 1)) --size;
    }
};

struct ends_walk {
    stack_ends& ends;
    frame_filter counts = {};

    bool add(std::uintptr_t address, _Unwind_Context*) noexcept {
        if (ends.count == frames_walked_max) return false;
        if (ends.count < ends.first.size()) {
            ends.first[ends.count] = address;
        } else {
            ends.last[ends.count % ends.last.size()] = address;
        }
        ++ends.count;
        return true;
    }

    void drop_maker() noexcept {
        const std::size_t kept = ends.kept();
        if (kept != 0 && !knows_function_at(ends.frame(kept - 1) - 1)) --ends.count;
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
    ends_walk w{.ends = ends, .counts = {.skip = 1}};
    _Unwind_Backtrace(&visit_frame<ends_walk>, &w);
    w.drop_maker();
}

[[gnu::noinline]] void unwind_ends_interrupted(stack_ends& ends) noexcept {
    ends.count = 0;
    ends_walk w{.ends = ends, .counts = {.until_signal = true}};
    _Unwind_Backtrace(&visit_frame<ends_walk>, &w);
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
    walk w{.frames = frames, .counts = {.skip = 1}, .space = &space};
    weft_unwind_parked(context, &visit_frame<walk>, &w);
    w.drop_maker();
    return w.size;
}

[[gnu::noinline]] std::size_t unwind_blocked(const thread_place& at, const stack_space& space,
                                             std::span<std::uintptr_t> frames) noexcept {
    if (!space.holds(at.sp)) return 0;
    walk w{.frames = frames, .space = &space};
    thread_place from = at;
    for (const segment* s = space.newest;; s = s->below) {
        w.counts.skip = 1;
        weft_unwind_from(&from, &visit_frame<walk>, &w);
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
    walk w{.frames = frames, .counts = {.skip = 1}};
    _Unwind_Backtrace(&visit_frame<walk>, &w);
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
    walk w{.frames = frames, .counts = {.until_signal = true}};
    _Unwind_Backtrace(&visit_frame<walk>, &w);
    w.drop_maker();
    return w.size;
}

}  // namespace weft::detail
