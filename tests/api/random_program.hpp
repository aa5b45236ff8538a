// Random programs of spawn, join, scope, cancel and timeout, with what must hold whatever the schedule.
//
// A program is a tree of nodes, made from a seed; a node is one coroutine. What a node may do is known before
// it runs: what it returns if nothing disturbs it, whether an exception may leave it, whether anybody may
// cancel it. Running it under any schedule then shows, as a list of violations,
//   - a result that is not the expected one, or that got lost;
//   - a cancellation or exception where none can come from, or a timeout before its time;
//   - a child that is alive when its scope is over, a body that is not destroyed exactly once.
#pragma once

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::test {

/// Counts those who are inside a block.
struct counted_in {
    std::atomic<int>& count;
    explicit counted_in(std::atomic<int>& c) : count(c) { ++count; }
    ~counted_in() { --count; }
};

class random_program {
public:
    /// `unit` is the least time that anything in it sleeps.
    random_program(std::uint64_t seed, std::chrono::nanoseconds unit)
        : random_(static_cast<std::uint32_t>(seed * 2654435761u + 1)), unit_(unit) {
        root_ = make(4);
        judge(*root_, false);
    }

    /// In a coroutine. What has gone wrong, one a line; empty when nothing has.
    std::string run() {
        try {
            expect_result(*root_, execute(*root_));
        } catch (const node_failed&) {
            if (!root_->may_throw) violation("an exception left a program without any");
        } catch (const cancelled&) {
            violation("a cancellation left the program");
        }
        const no_cancel deaf;
        while (detached_ != 0) sleep_for(unit_);
        if (alive_ != 0) violation("somebody is left");
        if (begun_ != destroyed_) violation("a body was destroyed never or twice");
        const std::lock_guard hold(lock_);
        return violations_;
    }

private:
    enum class how : std::uint8_t {
        in_scope,          // scope.go
        in_scope_joined,   // scope.spawn, joined
        in_scope_dropped,  // scope.spawn, handle destroyed
        joined,            // spawn, joined
        stopped,           // spawn, asked to stop, joined
        dropped,           // spawn, handle destroyed
        detached,          // spawn, detached
    };

    struct node {
        how started = how::joined;
        int value = 0;
        bool throws = false;
        int timeout = 0;        // In units; 0: none.
        std::size_t limit = 0;  // Of its scope.
        bool cancels_scope = false;
        std::vector<int> steps_before;
        std::vector<int> steps_after;
        std::vector<std::unique_ptr<node>> children;

        // What judge() finds out.
        bool may_throw = false;
        bool may_be_cancelled = false;
        bool scope_may_fail = false;
        bool exact = true;  // Returns `sum`, and nothing else.
        int sum = 0;
    };

    struct node_failed {};

    struct presence {
        random_program& program;
        explicit presence(random_program& p) : program(p) {
            ++program.alive_;
            ++program.begun_;
        }
        ~presence() {
            ++program.destroyed_;
            --program.alive_;
        }
    };

    // --------------------------------------------------------------------------------------- making

    int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
    bool one_in(int n) { return below(n) == 0; }

    std::vector<int> make_steps() {
        std::vector<int> steps(static_cast<std::size_t>(below(4)));
        for (int& step : steps) step = below(64);
        return steps;
    }

    std::unique_ptr<node> make(int depth) {
        auto n = std::make_unique<node>();
        n->value = 1 + below(100);
        n->throws = one_in(12);
        n->timeout = one_in(5) ? 1 + below(4) : 0;
        n->limit = one_in(3) ? static_cast<std::size_t>(1 + below(2)) : 0;
        n->cancels_scope = one_in(10);
        n->steps_before = make_steps();
        n->steps_after = make_steps();
        const int count = depth == 0 ? 0 : below(4);
        for (int i = 0; i != count; ++i) {
            n->children.push_back(make(depth - 1));
            n->children.back()->started = static_cast<how>(below(7));
        }
        return n;
    }

    static bool in_scope(const node& n) {
        return n.started == how::in_scope || n.started == how::in_scope_joined ||
               n.started == how::in_scope_dropped;
    }

    void judge(node& n, bool may_be_cancelled) {
        // Outside of a scope an exception that nobody joins ends the process: such subtrees don't throw.
        for (const auto& child : n.children) {
            if (!in_scope(*child)) forbid_exceptions(*child);
        }
        n.may_be_cancelled = may_be_cancelled;
        for (const auto& child : n.children)
            n.scope_may_fail |= in_scope(*child) && can_throw(*child);
        n.may_throw = can_throw(n);
        n.exact = !n.may_throw && n.timeout == 0 && !n.cancels_scope;
        n.sum = n.value;
        for (const auto& child : n.children) {
            bool cancelled_here = may_be_cancelled || n.timeout != 0 || can_throw(n);
            if (in_scope(*child)) cancelled_here |= n.scope_may_fail || n.cancels_scope;
            if (child->started == how::stopped || child->started == how::dropped ||
                child->started == how::in_scope_dropped) {
                cancelled_here = true;
            }
            if (child->started == how::detached) cancelled_here = false;
            judge(*child, cancelled_here);
            const bool counted = child->started == how::in_scope ||
                                 child->started == how::in_scope_joined ||
                                 child->started == how::joined;
            if (counted) {
                n.exact &= child->exact;
                n.sum += child->sum;
            }
        }
    }

    static bool can_throw(const node& n) {
        bool result = n.throws;
        for (const auto& child : n.children) result |= in_scope(*child) && can_throw(*child);
        return result;
    }
    static void forbid_exceptions(node& n) {
        n.throws = false;
        for (const auto& child : n.children) {
            if (in_scope(*child)) forbid_exceptions(*child);
        }
    }

    // -------------------------------------------------------------------------------------- running

    void violation(const char* what) {
        const std::lock_guard hold(lock_);
        violations_ += std::string(what) + "\n";
    }

    void expect_result(const node& n, int result) {
        if (n.exact && result != n.sum) violation("a wrong result");
    }

    void step(int which) {
        switch (which % 8) {
        case 0:
            checkpoint();
            break;
        case 1:
        case 2:
            yield();
            break;
        case 3:
            sleep_for(unit_ * (which / 8));
            break;
        case 4:
            on_big_stack([] { yield(); });
            break;
        case 5: {
            const no_cancel deaf;
            yield();
            sleep_for(unit_);
            break;
        }
        case 6:
            blocking([] {});
            break;
        case 7: {
            std::promise<int> ready;
            ready.set_value(1);
            static_cast<void>(await(ready.get_future()));
            break;
        }
        default:
            break;
        }
    }

    // The body of every coroutine but the first.
    int coroutine(const node& n) {
        try {
            const int result = execute(n);
            expect_result(n, result);
            return result;
        } catch (const cancelled&) {
            if (!n.may_be_cancelled) violation("a cancellation that nobody has asked for");
            throw;
        } catch (const node_failed&) {
            if (!n.may_throw) violation("an exception out of nothing");
            throw;
        }
    }

    int execute(const node& n) {
        const presence here(*this);
        if (n.timeout == 0) return body(n);
        const auto before = weft::clock::now();
        try {
            return with_timeout(unit_ * n.timeout, [&] { return body(n); });
        } catch (const timed_out&) {
            if (weft::clock::now() - before < unit_ * n.timeout)
                violation("a timeout before its time");
            return -1;
        }
    }

    int body(const node& n) {
        for (const int which : n.steps_before) step(which);
        std::atomic<int> sum{n.value};
        std::atomic<int> in_here{0};
        {
            scope s({.limit = n.limit});
            std::vector<std::pair<const node*, join_handle<int>>> handles;
            for (const auto& child : n.children) start(*child, s, handles, sum, in_here);
            if (n.cancels_scope) s.cancel();
            for (auto& [child, handle] : handles) sum += join(n, *child, handle);
            s.join();
            if (in_here != 0) violation("a child is alive behind scope::join");
        }
        if (in_here != 0) violation("a child is alive behind its scope");
        for (const int which : n.steps_after) step(which);
        if (n.throws) throw node_failed();
        return sum;
    }

    void start(const node& child, scope& s,
               std::vector<std::pair<const node*, join_handle<int>>>& handles,
               std::atomic<int>& sum, std::atomic<int>& in_here) {
        const auto in_scope_body = [this, &child, &in_here] {
            const counted_in here(in_here);
            return coroutine(child);
        };
        const auto plain_body = [this, &child] { return coroutine(child); };
        switch (child.started) {
        case how::in_scope:
            s.go([in_scope_body, &sum] { sum += in_scope_body(); });
            break;
        case how::in_scope_joined:
            handles.emplace_back(&child, s.spawn(in_scope_body));
            break;
        case how::in_scope_dropped: {
            const auto dropped = s.spawn(in_scope_body);
            break;
        }
        case how::joined:
            handles.emplace_back(&child, spawn(plain_body));
            break;
        case how::stopped:
            handles.emplace_back(&child, spawn(plain_body));
            handles.back().second.request_stop();
            break;
        case how::dropped: {
            const auto dropped = spawn(plain_body);
            break;
        }
        case how::detached: {
            ++detached_;
            spawn([this, &child] {
                const struct ends {
                    random_program& program;
                    ~ends() { --program.detached_; }
                } at_the_end{*this};
                static_cast<void>(coroutine(child));
            }).detach();
            break;
        }
        }
    }

    int join(const node& n, const node& child, join_handle<int>& handle) {
        try {
            const int result = handle.join();
            return child.started == how::stopped ? 0 : result;
        } catch (const coroutine_cancelled&) {
            const bool expected = child.may_be_cancelled && (child.started == how::stopped ||
                                                             n.scope_may_fail || n.cancels_scope);
            if (!expected) violation("a child was cancelled by nobody");
            return 0;
        }
    }

    std::minstd_rand random_;
    const std::chrono::nanoseconds unit_;
    std::unique_ptr<node> root_;
    std::atomic<int> alive_{0};
    std::atomic<int> detached_{0};
    std::atomic<int> begun_{0};
    std::atomic<int> destroyed_{0};
    std::mutex lock_;
    std::string violations_;
};

/// Runs `count` programs, each under that many simulated schedules. The seeds of program and schedule are in
/// the message of a failure, and replay it.
inline void explore_programs(std::uint64_t first, std::uint64_t count, unsigned schedules) {
    for (std::uint64_t seed = first; seed != first + count; ++seed) {
        try {
            weft::testing::explore(schedules, [&] {
                random_program program(seed, std::chrono::milliseconds(1));
                const std::string violations = program.run();
                if (!violations.empty()) throw std::logic_error(violations);
            });
        } catch (const weft::testing::failure& f) {
            FAIL() << "program " << seed << ": " << f.what();
        }
    }
}

}  // namespace weft::test
