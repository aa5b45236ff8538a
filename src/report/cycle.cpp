#include "report/cycle.hpp"

#include "base/print.hpp"
#include "report/wait_text.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace weft::detail {
namespace {

constexpr std::size_t rings_max = 10;
constexpr std::size_t shown_max = 8;  // A longer ring is cut.

using position = std::uint32_t;  // Of a record in the snapshot.
constexpr position nobody = UINT32_MAX;

// Each coroutine waits for one other. Only one that joins a scope waits for several: for every child. So a ring through any
// child is one.
class wait_graph {
public:
    wait_graph(const snapshot& all, bool at_rest) : all_(all), at_rest_(at_rest) {
        const auto records = all.coroutines();
        for (position i = 0; i != records.size(); ++i) {
            if (lasts(records[i]) && records[i].scope != nullptr) children_.push_back(i);
        }
        std::ranges::sort(children_, [&](position a, position b) {
            const void* const of_a = records[a].scope;
            const void* const of_b = records[b].scope;
            return of_a != of_b ? std::less<>()(of_a, of_b) : a < b;
        });
    }

    /// The coroutine number `n` that the one at `i` waits for; `nobody` after the last.
    [[nodiscard]] position next(position i, std::size_t n) const noexcept {
        const coroutine_record& r = all_.coroutines()[i];
        if (!lasts(r)) return nobody;
        if (joins_scope(r)) {
            const std::span<const position> children = children_of(r.object);
            return n < children.size() ? children[n] : nobody;
        }
        if (n != 0) return nobody;
        if (r.joined != 0) return position_of(r.joined);
        return r.holder == holder_kind::coroutine ? position_of(r.holder_is) : nobody;
    }

    [[nodiscard]] static bool joins_scope(const coroutine_record& r) noexcept {
        return r.kind == wait_kind::scope_join;
    }

private:
    // While others run, one that waits for less time than the snapshot took may have been seen before what it waits for was
    // seen in another state.
    [[nodiscard]] bool lasts(const coroutine_record& r) const noexcept {
        return r.status == co_status::waiting && (at_rest_ || r.waited_ns > all_.taken_ns());
    }
    [[nodiscard]] position position_of(std::uint64_t id) const noexcept {
        const coroutine_record* const r = all_.find(id);
        return r == nullptr ? nobody : static_cast<position>(r - all_.coroutines().data());
    }
    [[nodiscard]] std::span<const position> children_of(const void* scope) const noexcept {
        const auto scope_at = [this](position i) { return all_.coroutines()[i].scope; };
        const auto first = std::ranges::lower_bound(children_, scope, std::less<>(), scope_at);
        const auto last = std::ranges::upper_bound(children_, scope, std::less<>(), scope_at);
        return {first, last};
    }

    const snapshot& all_;
    const bool at_rest_;
    std::vector<position> children_;  // Those that are some scope's, by scope.
};

void append_step(printer& out, const snapshot& all, const coroutine_record& r,
                 const coroutine_record& to) noexcept {
    if (r.joined != 0) {
        out << " joins ";
        print_id(out, all, to.id);
        return;
    }
    if (wait_graph::joins_scope(r)) {
        out << " waits in scope::join for ";
        if (to.id == r.id) {
            out << "itself";
        } else {
            print_id(out, all, to.id);
        }
        return;
    }
    const bool once = r.kind == wait_kind::once;
    out << (once ? " wants the call of call_once " : " wants the ");
    if (!once) out << name_of(r.kind) << " ";
    out.hex(reinterpret_cast<std::uintptr_t>(r.object));
    out << " that ";
    print_id(out, all, to.id);
    out << (once ? " runs" : " holds");
}

void append_ring(std::string& text, const snapshot& all, std::span<const position> ring,
                 bool at_rest) {
    const auto records = all.coroutines();
    printer out;
    out << "weft: cycle: ";
    print_id(out, all, records[ring[0]].id);
    text += out.view();
    for (std::size_t i = 0; i != ring.size(); ++i) {
        printer step;
        if (i != 0) step << ", which";
        if (i == shown_max) {
            text += step.view();
            text += " waits for others, and so on round";
            break;
        }
        append_step(step, all, records[ring[i]], records[ring[(i + 1) % ring.size()]]);
        text += step.view();
    }
    if (!at_rest) text += "; only a time limit or a cancellation could end it";
    text += "\n";
}

}  // namespace

// A walk in depth. When it comes back to a coroutine whose own step is not done yet, there is a ring.
void append_cycles(std::string& text, const snapshot& all, bool at_rest) {
    struct step {
        position at;
        std::size_t tried;
    };
    const auto records = all.coroutines();
    const wait_graph waits(all, at_rest);
    enum class state : std::uint8_t { fresh, on_path, done };
    std::vector<state> states(records.size(), state::fresh);
    std::vector<step> path;
    std::vector<position> ring;
    std::size_t rings = 0;
    for (position start = 0; start != records.size(); ++start) {
        if (states[start] != state::fresh) continue;
        path.push_back({start, 0});
        states[start] = state::on_path;
        while (!path.empty()) {
            step& last = path.back();
            const position to = waits.next(last.at, last.tried);
            if (last.tried != SIZE_MAX) ++last.tried;
            if (to == nobody) {
                states[last.at] = state::done;
                path.pop_back();
            } else if (states[to] == state::fresh) {
                states[to] = state::on_path;
                path.push_back({to, 0});
            } else if (states[to] == state::on_path) {
                ring.clear();
                for (std::size_t i = path.size(); i-- != 0;) {
                    ring.push_back(path[i].at);
                    path[i].tried = SIZE_MAX;  // Thousands of children may want the same: one line.
                    if (path[i].at == to) break;
                }
                std::reverse(ring.begin(), ring.end());
                // It begins with the oldest.
                const auto oldest =
                    std::ranges::min_element(ring, {}, [&](position i) { return records[i].id; });
                std::rotate(ring.begin(), oldest, ring.end());
                append_ring(text, all, ring, at_rest);
                if (++rings == rings_max) return;
            }
        }
    }
}

}  // namespace weft::detail
