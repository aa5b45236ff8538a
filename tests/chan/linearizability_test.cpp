// Channels are linearizable: small histories of coroutines and threads that run at once, each checked for an order of
// effects that explains it (tests/support/linearizable.hpp).
#include "support/histories.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace weft::test {
namespace {

struct channel_operation {
    enum kinds : std::uint8_t { send, try_send, recv, try_recv, close } kind;
    int value = 0;    // Sent or received.
    bool ok = false;  // There was a value; of close(): it was open.
    bool closed =
        false;  // Nothing was received for the channel was closed, or channel_closed was thrown.

    [[nodiscard]] bool sends() const { return kind == send || kind == try_send; }
    [[nodiscard]] bool receives() const { return kind == recv || kind == try_recv; }
};

// A buffer, or a rendezvous where there is none.
struct channel_spec {
    struct state {
        std::vector<int> buffer{};
        bool closed = false;
        auto operator<=>(const state&) const = default;
    };
    using operation = channel_operation;

    std::size_t capacity;

    [[nodiscard]] std::optional<state> apply(const state& s, const operation& op) const {
        state next = s;
        if (op.kind == operation::close) {
            if (op.ok == s.closed) return std::nullopt;
            next.closed = true;
            return next;
        }
        if (op.closed) {
            const bool fits = s.closed && (op.sends() || s.buffer.empty());
            return fits ? std::optional(s) : std::nullopt;
        }
        if (op.sends()) {
            if (s.closed) return std::nullopt;
            const bool full = s.buffer.size() >= capacity;
            if (op.ok == full) return std::nullopt;
            if (op.ok) next.buffer.push_back(op.value);
            return next;
        }
        if (op.ok) {
            if (s.buffer.empty() || s.buffer.front() != op.value) return std::nullopt;
            next.buffer.erase(next.buffer.begin());
            return next;
        }
        const bool fits = s.buffer.empty() && !s.closed;
        return fits ? std::optional(s) : std::nullopt;
    }

    [[nodiscard]] std::optional<state> apply(const state& s, const operation& a,
                                             const operation& b) const {
        if (capacity != 0 || s.closed || !a.ok || !b.ok || a.value != b.value) return std::nullopt;
        const bool meet = (a.sends() && b.receives()) || (a.receives() && b.sends());
        return meet ? std::optional(s) : std::nullopt;
    }
};

using timed = timed_operation<channel_operation>;
using channel_history = std::vector<timed>;

std::string text(const channel_history& history) {
    static constexpr const char* names[] = {"send", "try_send", "recv", "try_recv", "close"};
    std::ostringstream out;
    for (const timed& t : history) {
        out << "  " << t.begun << "-" << t.ended << " " << names[t.operation.kind] << " "
            << t.operation.value << (t.operation.ok ? " ok" : "")
            << (t.operation.closed ? " closed" : "") << "\n";
    }
    return out.str();
}

bool explained(const channel_history& history, std::size_t capacity) {
    return linearization<channel_spec>({capacity}, history).exists({});
}

// ------------------------------------------------------------------------------------------ the checker

using op = channel_operation;

TEST(Linearizability, ExplainsABufferInOrder) {
    EXPECT_TRUE(explained({{{op::send, 1, true}, 0, 1},
                           {{op::send, 2, true}, 2, 5},
                           {{op::recv, 1, true}, 3, 4},
                           {{op::recv, 2, true}, 6, 7}},
                          1));
}

TEST(Linearizability, RefusesABufferOutOfOrder) {
    EXPECT_FALSE(explained({{{op::send, 1, true}, 0, 1},
                            {{op::send, 2, true}, 2, 3},
                            {{op::recv, 2, true}, 4, 5},
                            {{op::recv, 1, true}, 6, 7}},
                           2));
}

TEST(Linearizability, RefusesMoreThanThereIsRoomFor) {
    EXPECT_FALSE(explained({{{op::send, 1, true}, 0, 1},
                            {{op::send, 2, true}, 2, 3},
                            {{op::recv, 1, true}, 4, 5},
                            {{op::recv, 2, true}, 6, 7}},
                           1));
}

TEST(Linearizability, RefusesAValueTwice) {
    EXPECT_FALSE(explained(
        {{{op::send, 1, true}, 0, 1}, {{op::recv, 1, true}, 2, 5}, {{op::recv, 1, true}, 3, 4}},
        2));
}

TEST(Linearizability, WantsARendezvousToOverlap) {
    EXPECT_TRUE(explained({{{op::send, 1, true}, 0, 2}, {{op::recv, 1, true}, 1, 3}}, 0));
    EXPECT_FALSE(explained({{{op::send, 1, true}, 0, 1}, {{op::recv, 1, true}, 2, 3}}, 0));
}

TEST(Linearizability, WantsTheEndOfAClosedChannelBehindItsValues) {
    EXPECT_FALSE(explained({{{op::send, 1, true}, 0, 1},
                            {{op::close, 0, true}, 2, 3},
                            {{op::recv, 0, false, true}, 4, 5},
                            {{op::recv, 1, true}, 6, 7}},
                           1));
}

TEST(Linearizability, RefusesAnEmptyChannelThatIsNot) {
    EXPECT_FALSE(explained(
        {{{op::send, 1, true}, 0, 1}, {{op::try_recv}, 2, 3}, {{op::recv, 1, true}, 4, 5}}, 1));
}

// ------------------------------------------------------------------------------------------- histories

class ChannelHistories : public with_runtime {
protected:
    static constexpr unsigned steps = 4;

    // One round: a channel, and who has it.
    struct round {
        explicit round(std::size_t capacity, unsigned count)
            : c(capacity), all_here(count), histories(count) {}

        // What participant `me` does. The first never waits, and closes the channel in the end, so that all come back.
        void take_part(unsigned me, std::uint64_t seed) {
            std::minstd_rand random = randoms_of_participant(me, seed);
            all_here.arrive();
            for (unsigned i = 0; i != steps; ++i) {
                auto kind = static_cast<channel_operation::kinds>(random() % 4);
                if (me == 0) kind = kind < 2 ? op::try_send : op::try_recv;
                if (me == 1 && random() % 20 == 0) kind = op::close;
                step(me, {kind, static_cast<int>(100 * (me + 1) + i)});
            }
            if (me == 0) step(me, {op::close});
        }

        void step(unsigned me, channel_operation what) {
            timed t{what, clock.tick()};
            try {
                t.operation = perform(what);
            } catch (const channel_closed&) {
                t.operation.closed = what.kind != op::close;
            }
            t.ended = clock.tick();
            histories[me].push_back(t);
        }

        channel_operation perform(channel_operation what) const {
            switch (what.kind) {
            case op::send:
                c.send(what.value);
                what.ok = true;
                return what;
            case op::try_send:
                what.ok = c.try_send(what.value);
                return what;
            case op::recv:
                if (const auto got = c.recv()) {
                    what.value = *got;
                    what.ok = true;
                } else {
                    what.value = 0;
                    what.closed = true;
                }
                return what;
            case op::try_recv: {
                what.value = 0;
                const chan_status status = c.try_recv(what.value);
                what.ok = status == chan_status::ok;
                what.closed = status == chan_status::closed;
                return what;
            }
            case op::close:
                c.close();
                what.ok = true;
                return what;
            }
            return what;
        }

        [[nodiscard]] channel_history all() const {
            channel_history result;
            for (const auto& one : histories) result.insert(result.end(), one.begin(), one.end());
            return result;
        }

        chan<int> c;
        history_clock clock;
        rough_barrier all_here;
        std::vector<channel_history> histories;
    };

    static void run_rounds(std::size_t capacity, unsigned participants, unsigned threads) {
        run_history_rounds(
            {GetParam(), participants, threads, threads == 0 ? 3000u : 1000u},
            [&] { return std::make_unique<round>(capacity, participants); },
            [&](const round& now) {
                const channel_history all = now.all();
                return explained(all, capacity) ? std::string() : text(all);
            });
    }
};

TEST_P(ChannelHistories, OfCoroutinesAreLinearizable) {
    for (std::size_t capacity = 0; capacity != 3; ++capacity) {
        for (unsigned participants = 2; participants != 5; ++participants)
            run_rounds(capacity, participants, 0);
    }
}

TEST_P(ChannelHistories, OfCoroutinesAndThreadsAreLinearizable) {
    for (std::size_t capacity = 0; capacity != 3; ++capacity) {
        run_rounds(capacity, 3, 1);
        run_rounds(capacity, 4, 2);
        run_rounds(capacity, 4, 3);
    }
}

WEFT_TEST_PROCESSORS(ChannelHistories);

}  // namespace
}  // namespace weft::test
