// Channels as one thread would write them, to hold a history against.
//
// The model goes through a history with the set of all states that it may be in: what is not decided by the history
// (channel_history.hpp), such as who of two that began at the same moment waits first, is a branch; a state that
// what comes next contradicts is dropped. When none is left the history has no explanation.
//
// What the history tells of the future is used to keep branches few: values are unique, so who receives a value that is
// being sent is known, and must have been waiting or else come by later.
#pragma once

#include "channel_history.hpp"

#include <algorithm>
#include <compare>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {

class channel_model {
public:
    explicit channel_model(const history& h) : h_(h) {
        for (std::size_t i = 0; i != h_.operations.size(); ++i) {
            const operation& op = h_.operations[i];
            if (!op.has_won()) continue;
            if (!op.won().sends) receiver_of_[op.value] = i;
        }
    }

    /// What has no explanation; empty when everything has one.
    std::string check() {
        state first;
        first.buffers.resize(h_.channels());
        first.closed.resize(h_.channels());
        first.armed.resize(h_.timers, no_moment);
        states_.insert(first);
        stopped_.resize(h_.coroutines);
        sections_.resize(h_.coroutines);
        for (std::size_t i = 0; i != h_.entries.size(); ++i) {
            take(h_.entries[i]);
            if (states_.empty()) {
                return "no order of effects explains the last of these:\n" + h_.text(i) + why_ +
                       "\n";
            }
        }
        return {};
    }

    /// Whether nothing may be left in a channel. After check().
    [[nodiscard]] bool may_be_drained() const {
        return std::any_of(states_.begin(), states_.end(), [&](const state& s) {
            for (std::size_t c = 0; c != h_.first_timer(); ++c) {
                if (!s.buffers[c].empty()) return false;
            }
            return true;
        });
    }

private:
    struct state {
        std::vector<std::vector<std::int64_t>> buffers{};
        std::vector<bool> closed{};
        std::vector<moment> armed{};      // When each timer fires, or no_moment.
        std::set<std::size_t> settled{};  // Pending operations that somebody has met.
        std::set<std::size_t> has_set{};  // Pending settings that have taken effect.

        auto operator<=>(const state&) const = default;
        bool operator==(const state&) const = default;
    };
    using state_set = std::set<state>;

    const operation& op_of(std::size_t i) const { return h_.operations[i]; }

    // Replaces every state by what f(state, out) makes of it.
    template <class F>
    void each(F&& f) {
        state_set next;
        for (const state& s : states_) f(s, next);
        states_ = std::move(next);
    }

    void refuse(const char* why) { why_ = std::string("  because, among others: ") + why; }

    void take(const entry& e) {
        why_.clear();
        if (e.at > now_) time_goes_on(e.at);
        branch_settings();
        switch (e.kind) {
        case entry::begins:
            pending_.insert(e.which);
            break;
        case entry::ends:
            pending_.erase(e.which);
            each([&](const state& s, state_set& out) { ends(s, e.which, out); });
            break;
        case entry::closes:
            each([&](const state& s, state_set& out) { closes(s, e.which, e.result, out); });
            break;
        case entry::requests_stop:
            stopped_[e.which] = true;
            break;
        case entry::enters:
            sections_[e.which].push_back(e.when);
            break;
        case entry::leaves:
            sections_[e.which].pop_back();
            break;
        case entry::sets:
            setting_.insert(e.which);
            break;
        case entry::has_set:
            setting_.erase(e.which);
            each([&](const state& s, state_set& out) { has_set(s, e.which, out); });
            break;
        case entry::deadlocks:
            each([&](const state& s, state_set& out) {
                if (quiet(s) && nothing_will_come(s)) out.insert(s);
            });
            break;
        }
    }

    // -------------------------------------------------------------------------------------- waiting

    [[nodiscard]] bool cancelled(const operation& op) const {
        if (op.deaf) return false;
        const auto& sections = sections_[op.coroutine];
        return stopped_[op.coroutine] ||
               std::any_of(sections.begin(), sections.end(), [&](moment m) { return m <= now_; });
    }

    // Whether it is certain that operation `i` waits in the queues of its channels.
    [[nodiscard]] bool waits(const state& s, std::size_t i) const {
        const operation& op = op_of(i);
        return !op.tries && op.begun_at < now_ && op.deadline > now_ && !cancelled(op) &&
               !s.settled.contains(i);
    }

    static bool wants(const operation& op, std::size_t channel, bool sends) {
        return std::any_of(op.wishes.begin(), op.wishes.end(),
                           [&](const wish& w) { return w.channel == channel && w.sends == sends; });
    }

    // When the first began of those who certainly wait to send to or receive from a channel.
    [[nodiscard]] moment first_waiter(const state& s, std::size_t channel, bool sends) const {
        moment first = no_moment;
        for (const std::size_t i : pending_) {
            if (waits(s, i) && wants(op_of(i), channel, sends))
                first = std::min(first, op_of(i).begun_at);
        }
        return first;
    }

    // Whether operation `i` may be the one among the waiters of a channel whose turn it is, and it ends so.
    [[nodiscard]] bool may_be_met(const state& s, std::size_t i, std::size_t channel,
                                  bool sends) const {
        const operation& op = op_of(i);
        return pending_.contains(i) && !op.tries && !s.settled.contains(i) && op.has_won() &&
               op.won().channel == channel && op.won().sends == sends &&
               op.begun_at <= first_waiter(s, channel, sends);
    }

    // Whether a wish can be granted at once.
    [[nodiscard]] bool ready(const state& s, const wish& w) const {
        if (s.closed[w.channel]) return true;
        if (first_waiter(s, w.channel, !w.sends) != no_moment) return true;
        const std::size_t full = s.buffers[w.channel].size();
        return w.sends ? full < h_.capacities[w.channel] : full != 0;
    }

    // ------------------------------------------------------------------------------------- entries

    void ends(const state& s, std::size_t i, state_set& out) {
        const operation& op = op_of(i);
        if (s.settled.contains(i)) {
            state next = s;
            next.settled.erase(i);
            out.insert(std::move(next));
            return;
        }
        if (op.how == ending::cancelled) {
            if (!cancelled(op)) return refuse("nobody has cancelled it");
            out.insert(s);
            return;
        }
        const bool in_time = op.how == ending::nothing && !op.tries;
        if (cancelled(op) && !in_time && op.how != ending::closed)
            return refuse("it had been cancelled before anybody met it");
        if (op.apart) {
            out.insert(s);
            return;
        }
        switch (op.how) {
        case ending::done:
            op.won().sends ? sends_at_once(s, i, out) : receives_at_once(s, i, out);
            return;
        case ending::closed:
            for (const wish& w : op.wishes) {
                if (s.closed[w.channel] && (w.sends || s.buffers[w.channel].empty())) {
                    out.insert(s);
                    return;
                }
            }
            return refuse("its channel is not closed, or not drained");
        case ending::nothing:
            if (!op.tries) {
                if (op.ended_at != op.deadline) return refuse("it is not the time");
            } else if (std::any_of(op.wishes.begin(), op.wishes.end(),
                                   [&](const wish& w) { return ready(s, w); })) {
                return refuse("it could have gone on");
            }
            out.insert(s);
            return;
        default:
            return refuse("nothing of the kind can happen");
        }
    }

    void receives_at_once(const state& s, std::size_t i, state_set& out) {
        const std::size_t c = op_of(i).won().channel;
        const std::int64_t value = op_of(i).value;
        if (s.buffers[c].empty()) {
            for (const std::size_t sender : pending_) {
                if (h_.capacities[c] != 0 || s.closed[c] || !may_be_met(s, sender, c, true) ||
                    op_of(sender).won().value != value) {
                    continue;
                }
                state next = s;
                next.settled.insert(sender);
                out.insert(std::move(next));
            }
            return refuse("nobody whose turn it is sends this value");
        }
        if (s.buffers[c].front() != value) return refuse("another value comes first");
        state next = s;
        next.buffers[c].erase(next.buffers[c].begin());
        if (s.closed[c] || first_waiter(s, c, true) == no_moment) out.insert(next);
        if (s.closed[c]) return;
        // The place that is free now is taken by whoever waits for it.
        for (const std::size_t sender : pending_) {
            if (!may_be_met(s, sender, c, true)) continue;
            state refilled = next;
            refilled.buffers[c].push_back(op_of(sender).won().value);
            refilled.settled.insert(sender);
            out.insert(std::move(refilled));
        }
        refuse("who waits to send, and is first, did not");
    }

    void sends_at_once(const state& s, std::size_t i, state_set& out) {
        const std::size_t c = op_of(i).won().channel;
        const std::int64_t value = op_of(i).won().value;
        if (s.closed[c]) return refuse("the channel is closed");
        const auto receiver = receiver_of_.find(value);
        if (s.buffers[c].empty() && receiver != receiver_of_.end() &&
            may_be_met(s, receiver->second, c, false)) {
            state next = s;
            next.settled.insert(receiver->second);
            out.insert(std::move(next));
        }
        if (s.buffers[c].size() < h_.capacities[c] && first_waiter(s, c, false) == no_moment) {
            state next = s;
            next.buffers[c].push_back(value);
            out.insert(std::move(next));
        }
        refuse("there is no room, or who waits to receive, and is first, did not get it");
    }

    void closes(const state& s, std::size_t c, bool was_open, state_set& out) {
        if (was_open == s.closed[c]) return refuse("it was closed already, or not");
        state next = s;
        next.closed[c] = true;
        for (const std::size_t i : pending_) {
            const operation& op = op_of(i);
            if (!was_open || !waits(s, i) || !(wants(op, c, true) || wants(op, c, false))) continue;
            if (op.how != ending::closed) return refuse("somebody who waits does not hear of it");
            next.settled.insert(i);
        }
        out.insert(std::move(next));
    }

    // ---------------------------------------------------------------------------------------- time

    // Nobody can run: all who have not ended wait, and none of them could go on.
    [[nodiscard]] bool quiet(const state& s) {
        if (!s.settled.empty() || !setting_.empty()) {
            refuse("somebody who was met sleeps on");
            return false;
        }
        for (const std::size_t i : pending_) {
            const operation& op = op_of(i);
            if (op.tries || cancelled(op)) {
                refuse("somebody waits who should not");
                return false;
            }
            for (const wish& w : op.wishes) {
                const std::size_t full = s.buffers[w.channel].size();
                const bool ready = w.sends ? full < h_.capacities[w.channel] : full != 0;
                const bool other =
                    std::any_of(pending_.begin(), pending_.end(), [&](std::size_t o) {
                        return o != i && wants(op_of(o), w.channel, !w.sends);
                    });
                if (ready || other || s.closed[w.channel]) {
                    refuse("somebody waits who could go on");
                    return false;
                }
            }
        }
        return true;
    }

    [[nodiscard]] bool nothing_will_come(const state& s) {
        const bool timers =
            std::any_of(s.armed.begin(), s.armed.end(), [](moment m) { return m != no_moment; });
        const bool operations = std::any_of(pending_.begin(), pending_.end(), [&](std::size_t i) {
            return op_of(i).deadline != no_moment || op_of(i).apart;
        });
        const bool sections =
            std::any_of(sections_.begin(), sections_.end(), [&](const std::vector<moment>& of) {
                return std::any_of(of.begin(), of.end(), [&](moment m) { return m > now_; });
            });
        if (timers || operations || sections) refuse("there is a timer pending");
        return !timers && !operations && !sections;
    }

    void time_goes_on(moment to) {
        each([&](const state& s, state_set& out) {
            if (quiet(s)) fire(s, to, out);
        });
        now_ = to;
    }

    // Fires the timers of `s` that are due, in order.
    void fire(const state& s, moment to, state_set& out) {
        const auto next = std::min_element(s.armed.begin(), s.armed.end());
        if (next == s.armed.end() || *next > to) {
            out.insert(s);
            return;
        }
        const moment when = *next;
        const auto timer = static_cast<std::size_t>(next - s.armed.begin());
        const std::size_t c = h_.first_timer() + timer;
        state fired = s;
        fired.armed[timer] = no_moment;
        moment first = no_moment;
        for (const std::size_t i : pending_) {
            if (wants(op_of(i), c, false) && !s.settled.contains(i))
                first = std::min(first, op_of(i).begun_at);
        }
        if (first == no_moment) {
            if (fired.buffers[c].empty()) fired.buffers[c].push_back(when);
            fire(fired, to, out);
            return;
        }
        if (when != to) return refuse("somebody waits for a timer that has fired");
        for (const std::size_t i : pending_) {
            const operation& op = op_of(i);
            if (op.begun_at != first || s.settled.contains(i) || !op.has_won() ||
                op.won().channel != c || op.value != when) {
                continue;
            }
            state met = fired;
            met.settled.insert(i);
            fire(met, to, out);
        }
        refuse("who waits for the timer, and is first, did not get its value");
    }

    // A setting may take effect at any time between its two entries.
    void branch_settings() {
        for (std::size_t before = 0; before != states_.size();) {
            before = states_.size();
            for (const std::size_t i : setting_) {
                each([&](const state& s, state_set& out) {
                    out.insert(s);
                    if (!s.has_set.contains(i)) apply_setting(s, i, out);
                });
            }
        }
    }

    void apply_setting(const state& s, std::size_t i, state_set& out) {
        const timer_setting& setting = h_.settings[i];
        const std::size_t c = h_.first_timer() + setting.timer;
        const bool pending = s.armed[setting.timer] != no_moment || !s.buffers[c].empty();
        if (setting.ended && pending != setting.was_pending)
            return refuse("the timer was pending, or not");
        state next = s;
        next.armed[setting.timer] = setting.when;
        next.buffers[c].clear();
        next.has_set.insert(i);
        out.insert(std::move(next));
    }

    void has_set(const state& s, std::size_t i, state_set& out) {
        state_set applied;
        if (s.has_set.contains(i)) {
            applied.insert(s);
        } else {
            apply_setting(s, i, applied);
        }
        for (state next : applied) {
            next.has_set.erase(i);
            out.insert(std::move(next));
        }
    }

    const history& h_;
    std::map<std::int64_t, std::size_t> receiver_of_;
    std::set<std::size_t> pending_;
    std::set<std::size_t> setting_;
    std::vector<bool> stopped_;
    std::vector<std::vector<moment>> sections_;
    moment now_ = 0;
    state_set states_;
    std::string why_;
};

}  // namespace weft::test
