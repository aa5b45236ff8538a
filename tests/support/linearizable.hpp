// Whether what several threads did to an object has an explanation: one order of effects, each at some moment between
// the beginning and the end of its operation, in which every result is the one that a single thread would get.
//
// The search is that of Wing and Gong with Lowe's memory of what was tried: linearize any operation that no other has
// ended before, and remember (set of operations linearized, state of the object). Small histories only, 64 operations
// at most; all of them must have ended.
//
// A specification has
//     using state = ...;                                              // Ordered; the initial one is given.
//     using operation = ...;                                          // With its result.
//     std::optional<state> apply(const state&, const operation&);     // Nothing: it can't have this result here.
// and, where two may take effect together and not one after the other (a rendezvous),
//     std::optional<state> apply(const state&, const operation&, const operation&);   // In either order of arguments.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weft::test {

/// The clock of a history: each look at it is a moment of its own.
class history_clock {
public:
    std::uint64_t tick() noexcept { return next_.fetch_add(1); }

private:
    std::atomic<std::uint64_t> next_{0};
};

template <class Operation>
struct timed_operation {
    Operation operation;
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
};

template <class Spec>
class linearization {
    using state = typename Spec::state;
    using operation = timed_operation<typename Spec::operation>;
    static constexpr bool has_pairs =
        requires(Spec & spec, const state& s, const typename Spec::operation& op) {
        { spec.apply(s, op, op) } -> std::convertible_to<std::optional<state>>;
    };

public:
    linearization(Spec spec, std::vector<operation> history)
        : spec_(std::move(spec)), history_(std::move(history)) {}

    [[nodiscard]] bool exists(const state& initial) {
        tried_.clear();
        return history_.size() <= 64 && search(0, initial);
    }

private:
    static std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << i; }

    // Those that may be next: nobody that is left ended before they began.
    [[nodiscard]] std::uint64_t candidates(std::uint64_t done) const {
        std::uint64_t first_end = UINT64_MAX;
        for (std::size_t i = 0; i != history_.size(); ++i) {
            if ((done & bit(i)) == 0 && history_[i].ended < first_end)
                first_end = history_[i].ended;
        }
        std::uint64_t result = 0;
        for (std::size_t i = 0; i != history_.size(); ++i) {
            if ((done & bit(i)) == 0 && history_[i].begun < first_end) result |= bit(i);
        }
        return result;
    }

    bool search(std::uint64_t done, const state& now) {
        if (done == (history_.size() == 64 ? UINT64_MAX : bit(history_.size()) - 1)) return true;
        if (!tried_.insert({done, now}).second) return false;
        const std::uint64_t next = candidates(done);
        for (std::size_t i = 0; i != history_.size(); ++i) {
            if ((next & bit(i)) == 0) continue;
            const auto alone = spec_.apply(now, history_[i].operation);
            if (alone && search(done | bit(i), *alone)) return true;
            if constexpr (has_pairs) {
                for (std::size_t j = i + 1; j != history_.size(); ++j) {
                    if ((next & bit(j)) == 0) continue;
                    const auto both =
                        spec_.apply(now, history_[i].operation, history_[j].operation);
                    if (both && search(done | bit(i) | bit(j), *both)) return true;
                }
            }
        }
        return false;
    }

    Spec spec_;
    std::vector<operation> history_;
    std::set<std::pair<std::uint64_t, state>> tried_;
};

}  // namespace weft::test
