// What the coroutines of a channel program did, in the order in which they did it.
//
// A simulation has one thread, so the order of the entries is exact. The moment at which an operation takes effect is
// not among them, but follows:
//   - one that did not wait took effect when it ended: between the effect and the end nobody else runs;
//   - one that waited was met by another, which took effect as *that* ended; or its time ran out, or it was cancelled;
//   - time goes on only when nobody can run, so whoever began at an earlier moment and has not ended waits in its
//     queues, ahead of all who began later.
#pragma once

#include <weft/weft.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace weft::test {

using moment = std::int64_t;  // Virtual nanoseconds.
inline constexpr moment no_moment = std::numeric_limits<moment>::max();

[[nodiscard]] inline moment now() { return weft::clock::now().time_since_epoch().count(); }

/// One case of a select; an operation on one channel has a single one. Values are unique.
struct wish {
    std::size_t channel;
    bool sends;
    std::int64_t value;  // Of a sender.
};

enum class ending : std::uint8_t {
    pending,
    done,  // By its wish `which`; `value` was received.
    closed,  // Nothing was received, or channel_closed was thrown. Of several sending wishes, by any of them.
    nothing,    // Empty or full, timeout, otherwise.
    cancelled,  // weft::cancelled.
    failed,     // A move threw.
};

struct operation {
    std::size_t coroutine = 0;
    std::vector<wish> wishes{};
    moment deadline = no_moment;
    bool tries = false;
    bool deaf = false;   // Within no_cancel.
    bool apart = false;  // On a channel that is nobody else's, and not in the model.

    moment begun_at = 0;
    moment ended_at = 0;
    ending how = ending::pending;
    std::size_t which = 0;
    std::int64_t value = 0;

    [[nodiscard]] bool has_won() const { return how == ending::done && !wishes.empty(); }
    [[nodiscard]] const wish& won() const { return wishes[which]; }
};

struct entry {
    enum kinds : std::uint8_t {
        begins,         // operation `which`
        ends,           // the same
        closes,         // channel `which`; `result`: it was open
        requests_stop,  // of coroutine `which`
        enters,         // coroutine `which` a with_timeout until `when`
        leaves,         // the innermost of coroutine `which`
        sets,           // number `which` of `settings` begins
        has_set,        // the same has ended
        deadlocks,      // is declared in main
    } kind;
    std::size_t which = 0;
    moment at = 0;
    moment when = 0;
    bool result = false;
};

/// A stop (`when` is no_moment) or reset of a timer.
struct timer_setting {
    std::size_t timer;
    moment when;
    bool was_pending = false;
    bool ended = false;
};

struct history {
    std::vector<std::size_t> capacities;  // Those of the timers come last.
    std::size_t timers = 0;
    std::size_t coroutines = 0;
    std::deque<operation> operations;
    std::deque<timer_setting> settings;
    std::vector<entry> entries;
    std::vector<std::string> violations;  // Seen on the spot.

    [[nodiscard]] std::size_t channels() const { return capacities.size(); }
    [[nodiscard]] std::size_t first_timer() const { return capacities.size() - timers; }

    void add(entry::kinds kind, std::size_t which, moment when = 0, bool result = false) {
        entries.push_back({kind, which, now(), when, result});
    }
    std::size_t begin(operation op) {
        op.begun_at = now();
        operations.push_back(std::move(op));
        add(entry::begins, operations.size() - 1);
        return operations.size() - 1;
    }
    void end(std::size_t which) {
        operations[which].ended_at = now();
        add(entry::ends, which);
    }

    /// The last entries up to number `last`.
    [[nodiscard]] std::string text(std::size_t last) const {
        std::ostringstream out;
        const std::size_t first = last > 60 ? last - 60 : 0;
        for (std::size_t i = first; i <= last && i < entries.size(); ++i) {
            describe(out, entries[i]);
            out << "\n";
        }
        return out.str();
    }

private:
    void describe(std::ostringstream& out, const entry& e) const {
        static constexpr const char* names[] = {"begins",        "ends",    "closes",
                                                "requests stop", "enters",  "leaves",
                                                "sets",          "has set", "deadlock"};
        out << "  " << e.at << " " << names[e.kind] << " " << e.which;
        if (e.kind == entry::closes) out << (e.result ? " ok" : " fails");
        if (e.kind == entry::enters) out << " until " << e.when;
        if (e.kind == entry::sets || e.kind == entry::has_set) {
            const timer_setting& s = settings[e.which];
            out << ": timer " << s.timer << (s.when == no_moment ? " stop" : " reset to ");
            if (s.when != no_moment) out << s.when;
            if (e.kind == entry::has_set) out << (s.was_pending ? ", was pending" : ", was not");
        }
        if (e.kind != entry::begins && e.kind != entry::ends) return;
        const operation& op = operations[e.which];
        out << ": coroutine " << op.coroutine;
        if (e.kind == entry::begins) {
            for (const wish& w : op.wishes) {
                out << (w.sends ? ", send to " : ", receive from ") << w.channel;
                if (w.sends) out << " " << w.value;
            }
            if (op.tries) out << ", try";
            if (op.deadline != no_moment) out << ", until " << op.deadline;
            if (op.deaf) out << ", no_cancel";
            if (op.apart) out << ", apart";
            return;
        }
        static constexpr const char* endings[] = {"pending", "done",      "closed",
                                                  "nothing", "cancelled", "failed"};
        out << ", " << endings[static_cast<std::size_t>(op.how)];
        if (op.has_won()) {
            out << " by " << (op.won().sends ? "send to " : "receive from ") << op.won().channel
                << " of " << op.value;
        }
    }
};

}  // namespace weft::test
