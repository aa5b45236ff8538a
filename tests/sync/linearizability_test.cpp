// Mutexes are linearizable: small histories of coroutines and threads that run at once, each checked for an order of
// effects that explains it (tests/support/linearizable.hpp).
#include "support/histories.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace weft::test {
namespace {

struct lock_operation {
    enum kinds : std::uint8_t { lock, try_lock, try_lock_for, unlock } kind;
    bool shared = false;
    unsigned who = 0;
    bool ok = true;  // It has been locked.
};

// At most one owner, or any number of those who share.
struct lock_spec {
    struct state {
        unsigned owner = 0;  // 0: nobody.
        unsigned sharers = 0;
        auto operator<=>(const state&) const = default;
    };
    using operation = lock_operation;

    bool may_fail_spuriously = false;

    [[nodiscard]] std::optional<state> apply(const state& s, const operation& op) const {
        state next = s;
        if (op.kind == operation::unlock) {
            if (op.shared ? s.sharers == 0 : s.owner != op.who) return std::nullopt;
            if (op.shared) {
                --next.sharers;
            } else {
                next.owner = 0;
            }
            return next;
        }
        const bool free = s.owner == 0 && (op.shared || s.sharers == 0);
        if (!op.ok) return !free || may_fail_spuriously ? std::optional(s) : std::nullopt;
        if (!free) return std::nullopt;
        if (op.shared) {
            ++next.sharers;
        } else {
            next.owner = op.who;
        }
        return next;
    }
};

using timed = timed_operation<lock_operation>;
using lock_history = std::vector<timed>;

std::string text(const lock_history& history) {
    static constexpr const char* names[] = {"lock", "try_lock", "try_lock_for", "unlock"};
    std::ostringstream out;
    for (const timed& t : history) {
        out << "  " << t.begun << "-" << t.ended << " " << t.operation.who << " "
            << names[t.operation.kind] << (t.operation.shared ? " shared" : "")
            << (t.operation.ok ? "" : " failed") << "\n";
    }
    return out.str();
}

// ------------------------------------------------------------------------------------ the specification

using op = lock_operation;

bool explained(const lock_history& history) {
    return linearization<lock_spec>({}, history).exists({});
}

TEST(LockHistory, ExplainsTurns) {
    EXPECT_TRUE(explained({{{op::lock, false, 1}, 0, 1},
                           {{op::lock, false, 2}, 2, 5},
                           {{op::unlock, false, 1}, 3, 4},
                           {{op::unlock, false, 2}, 6, 7}}));
}

TEST(LockHistory, RefusesTwoOwners) {
    EXPECT_FALSE(explained({{{op::lock, false, 1}, 0, 1},
                            {{op::lock, false, 2}, 2, 3},
                            {{op::unlock, false, 1}, 4, 5},
                            {{op::unlock, false, 2}, 6, 7}}));
}

TEST(LockHistory, RefusesAWriterAmongReaders) {
    EXPECT_FALSE(explained({{{op::lock, true, 1}, 0, 1},
                            {{op::lock, false, 2}, 2, 3},
                            {{op::unlock, true, 1}, 4, 5},
                            {{op::unlock, false, 2}, 6, 7}}));
    EXPECT_TRUE(explained({{{op::lock, true, 1}, 0, 1},
                           {{op::lock, true, 2}, 2, 3},
                           {{op::unlock, true, 1}, 4, 5},
                           {{op::unlock, true, 2}, 6, 7}}));
}

TEST(LockHistory, RefusesToFailWhileItIsFree) {
    EXPECT_FALSE(explained({{{op::try_lock, false, 1, false}, 0, 1}}));
}

// ------------------------------------------------------------------------------------------- histories

// What the operations are on each kind of mutex.
struct plain {
    static constexpr bool has_shared = false;
    weft::timed_mutex m;
    bool lock(bool) {
        m.lock();
        return true;
    }
    bool try_lock(bool) { return m.try_lock(); }
    bool try_lock_for(bool, std::chrono::microseconds d) { return m.try_lock_for(d); }
    void unlock(bool) { m.unlock(); }
};

struct sharing {
    static constexpr bool has_shared = true;
    weft::shared_mutex m;
    bool lock(bool shared) {
        shared ? m.lock_shared() : m.lock();
        return true;
    }
    bool try_lock(bool shared) { return shared ? m.try_lock_shared() : m.try_lock(); }
    bool try_lock_for(bool shared, std::chrono::microseconds d) {
        return shared ? m.try_lock_shared_for(d) : m.try_lock_for(d);
    }
    void unlock(bool shared) { shared ? m.unlock_shared() : m.unlock(); }
};

template <class Kind>
struct lock_round {
    explicit lock_round(unsigned count) : all_here(count), histories(count) {}

    void take_part(unsigned me, std::uint64_t seed) {
        std::minstd_rand random = randoms_of_participant(me, seed);
        all_here.arrive();
        for (unsigned i = 0; i != 4; ++i) {
            const bool shared = Kind::has_shared && random() % 2 == 0;
            const auto kind = static_cast<lock_operation::kinds>(random() % 3);
            const std::chrono::microseconds patience(random() % 8);
            if (!step(me, {kind, shared, me + 1}, patience)) continue;
            if (random() % 3 == 0) weft::yield();
            step(me, {op::unlock, shared, me + 1}, patience);
        }
    }

    bool step(unsigned me, lock_operation what, std::chrono::microseconds patience) {
        timed t{what, clock.tick()};
        switch (what.kind) {
        case op::lock:
            t.operation.ok = mutex.lock(what.shared);
            break;
        case op::try_lock:
            t.operation.ok = mutex.try_lock(what.shared);
            break;
        case op::try_lock_for:
            t.operation.ok = mutex.try_lock_for(what.shared, patience);
            break;
        case op::unlock:
            mutex.unlock(what.shared);
            break;
        }
        t.ended = clock.tick();
        histories[me].push_back(t);
        return t.operation.ok;
    }

    Kind mutex;
    history_clock clock;
    rough_barrier all_here;
    std::vector<lock_history> histories;
};

class LockHistories : public with_runtime {
protected:
    template <class Kind>
    static void run_rounds(unsigned participants, unsigned threads) {
        run_history_rounds(
            {GetParam(), participants, threads, threads == 0 ? 3000u : 1000u},
            [&] { return std::make_unique<lock_round<Kind>>(participants); },
            [&](const lock_round<Kind>& now) {
                lock_history all;
                for (const auto& one : now.histories) all.insert(all.end(), one.begin(), one.end());
                // A shared_mutex that others wait for is not taken past them.
                const bool found = linearization<lock_spec>({Kind::has_shared}, all).exists({});
                return found ? std::string() : text(all);
            });
    }
};

TEST_P(LockHistories, OfAMutexAreLinearizable) {
    for (unsigned participants = 2; participants != 5; ++participants)
        run_rounds<plain>(participants, 0);
    run_rounds<plain>(3, 1);
    run_rounds<plain>(4, 3);
}

TEST_P(LockHistories, OfASharedMutexAreLinearizable) {
    for (unsigned participants = 2; participants != 5; ++participants)
        run_rounds<sharing>(participants, 0);
    run_rounds<sharing>(3, 1);
    run_rounds<sharing>(4, 3);
}

WEFT_TEST_PROCESSORS(LockHistories);

}  // namespace
}  // namespace weft::test
