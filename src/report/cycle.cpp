#include "report/cycle.hpp"

#include "base/print.hpp"
#include "report/wait_text.hpp"

#include <cstddef>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::size_t rings_max = 10;
constexpr std::size_t shown_max = 8;  // A longer ring is cut.
constexpr std::uint32_t nobody = UINT32_MAX;

std::uint32_t position(const snapshot& all, std::uint64_t id) noexcept {
    const coroutine_record* const r = id == 0 ? nullptr : all.find(id);
    return r == nullptr ? nobody : static_cast<std::uint32_t>(r - all.coroutines().data());
}

void append_ring(std::string& text, const snapshot& all, const std::vector<std::uint32_t>& next,
                 std::uint32_t first) {
    printer out;
    out << "weft: cycle: ";
    print_id(out, all, all.coroutines()[first].id);
    text += out.view();
    std::size_t shown = 0;
    for (std::uint32_t at = first;;) {
        const coroutine_record& r = all.coroutines()[at];
        at = next[at];
        printer step;
        if (r.joined != 0) {
            step << " joins ";
            print_id(step, all, all.coroutines()[at].id);
        } else {
            step << (r.kind == wait_kind::once ? " wants the call of " : " wants the ")
                 << (r.kind == wait_kind::once ? "call_once" : name_of(r.kind)) << " ";
            step.hex(reinterpret_cast<std::uintptr_t>(r.object));
            step << " that ";
            print_id(step, all, all.coroutines()[at].id);
            step << (r.kind == wait_kind::once ? " runs" : " holds");
        }
        if (at != first) step << ", which";
        text += step.view();
        if (at == first) break;
        if (++shown == shown_max) {
            text += " waits for others, and so on round";
            break;
        }
    }
    text += "\n";
}

}  // namespace

void append_cycles(std::string& text, const snapshot& all, bool at_rest) {
    const auto records = all.coroutines();
    std::vector<std::uint32_t> next(records.size(), nobody);
    for (std::size_t i = 0; i != records.size(); ++i) {
        const coroutine_record& r = records[i];
        if (r.status != co_status::waiting) continue;
        if (!at_rest && r.waited_ns <= all.taken_ns()) continue;
        next[i] = position(all, r.joined != 0                        ? r.joined
                                : r.holder == holder_kind::coroutine ? r.holder_is
                                                                     : 0);
    }
    // Each goes on to one other at most, so a walk that comes back to its own steps has found a ring.
    std::vector<std::uint32_t> seen_by(records.size(), nobody);
    std::size_t rings = 0;
    for (std::uint32_t start = 0; start != next.size() && rings != rings_max; ++start) {
        std::uint32_t at = start;
        while (at != nobody && seen_by[at] == nobody) {
            seen_by[at] = start;
            at = next[at];
        }
        if (at == nobody || seen_by[at] != start || next[at] == nobody) continue;
        std::uint32_t first = at;  // The oldest of the ring.
        for (std::uint32_t i = next[at]; i != at; i = next[i]) {
            if (records[i].id < records[first].id) first = i;
        }
        append_ring(text, all, next, first);
        ++rings;
    }
}

}  // namespace weft::detail
