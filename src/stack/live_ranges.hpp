// What of a parked coroutine's split stack is alive: for whoever looks for pointers in it.
//
//     newest    [ base ....... context | frames ........... | header ]     from the saved context, which has the callee-saved
//                                                                          registers at its low end, to the header
//     older     [ base ....... | crossing | frames ........ | header ]     from the frame of the crossing that left it
//
// Besides these: memory that frames have asked for while they ran, and the registers with the arguments of a call that
// was interrupted. Copies of arguments are alive twice, so nothing that is found may be moved.
//
// The caller has claimed the coroutine (sched/claim.hpp).
#pragma once

#include "stack/segment.hpp"

#include <cstddef>
#include <span>

namespace weft::detail {

/// Below a crossing's frame pointer: rax, rcx, the target, rdx, flags, and what the runtime's own crossing keeps.
inline constexpr std::size_t crossing_frame_size = 64;

/// Calls f(std::span<const std::byte>) for each, from the newest on.
template <class F>
void for_each_live_range(const void* context, const segment& newest, F&& f) {
    const auto* low = static_cast<const std::byte*>(context);
    for (const segment* s = &newest; s != nullptr; s = s->below) {
        f(std::span(low, s->top()));
        for (const dynamic_block* d = s->dynamic; d != nullptr; d = d->next) {
            f(std::span(reinterpret_cast<const std::byte*>(d) + dynamic_block::header_size,
                        d->size));
        }
        if (const std::span<const std::byte> saved = s->saved_registers_here(); !saved.empty())
            f(saved);
        if (s->below != nullptr) {
            low = reinterpret_cast<const std::byte*>(s->crossing) - crossing_frame_size;
        }
    }
}

}  // namespace weft::detail
