#include "stack/unwind.hpp"

#include "arch/unwind.hpp"
#include "stack/reserved_stack.hpp"
#include "stack/segment.hpp"

namespace weft::detail {
namespace {

struct walk {
    std::span<std::uintptr_t> frames;
    std::size_t size = 0;
    std::size_t skip = 0;
    bool until_signal = false;  // Nothing counts before the frame that a signal has interrupted.
    const stack_space* space = nullptr;  // Null: wherever it leads.

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
        if (space != nullptr && !space->holds(_Unwind_GetCFA(at))) return _URC_END_OF_STACK;
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

}  // namespace

bool stack_space::holds(std::uintptr_t address) const noexcept {
    for (const segment* s = newest; s != nullptr; s = s->below) {
        // The frame of a segment's first function ends where its header begins.
        if (s->holds(address - 1)) return true;
    }
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

[[gnu::noinline]] std::size_t unwind_here(std::span<std::uintptr_t> frames) noexcept {
    walk w{.frames = frames, .skip = 1};
    _Unwind_Backtrace(&walk::each, &w);
    w.drop_maker();
    return w.size;
}

[[gnu::noinline]] std::size_t unwind_interrupted(std::span<std::uintptr_t> frames) noexcept {
    walk w{.frames = frames, .until_signal = true};
    _Unwind_Backtrace(&walk::each, &w);
    w.drop_maker();
    return w.size;
}

}  // namespace weft::detail
