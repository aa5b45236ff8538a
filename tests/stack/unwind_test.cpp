// The frames of coroutines that are parked, of the caller, and of what a signal interrupts.
#include "stack/unwind.hpp"

#include "os/fence.hpp"
#include "report/stack_text.hpp"
#include "sched/claim.hpp"
#include "sched/scheduler.hpp"
#include "stack/unwind_chain.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <span>
#include <vector>

namespace weft::detail {
namespace {

using test::chain;
using test::chain_end;
using test::chain_length;

using all_frames = std::array<std::uintptr_t, 100>;

void* function_of(std::uintptr_t frame) {
    return _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(frame - 1));
}

// Where a split stack goes on elsewhere; null where none is.
extern "C" [[gnu::weak]] void __morestack();

std::vector<void*> functions_of(std::span<const std::uintptr_t> frames) {
    std::vector<void*> result;
    for (const std::uintptr_t frame : frames) {
        void* const function = function_of(frame);
        if (function == nullptr || function != reinterpret_cast<void*>(&__morestack)) {
            result.push_back(function);
        }
    }
    return result;
}

// Where the chain begins in `frames`, innermost first; what is missing of it fails the test.
std::size_t expect_chain(std::span<const std::uintptr_t> frames, const chain& c) {
    const std::vector<void*> functions = functions_of(frames);
    const auto at =
        std::search(functions.begin(), functions.end(), c.functions.begin(), c.functions.end());
    EXPECT_NE(at, functions.end()) << functions.size() << " frames";
    return static_cast<std::size_t>(at - functions.begin());
}

coroutine* find(id wanted) {
    coroutine* found = nullptr;
    sched.coroutines.for_each([&](coroutine& c) {
        if (c.state.load() != co_state::dead && make_id(c.id) == wanted) found = &c;
    });
    return found;
}

stack_space space_of(const coroutine& c) {
    const stack_ref stack = c.stack;
    return {sched.stacks, stack.is_split() ? stack.newest() : nullptr};
}

// Waits until it is parked, and has its frames.
std::vector<std::uintptr_t> frames_of_parked(id who) {
    const claimer me;
    for (;;) {
        coroutine* const c = find(who);
        const bool claimed = c != nullptr && me.request(*c) && (heavy_fence(), me.confirm(*c));
        if (!claimed) {
            weft::yield();
            continue;
        }
        const bool waits = c->waiting_epoch() != 0;
        all_frames frames;
        const context_ref context = c->context;
        const std::size_t n = unwind_parked(context, space_of(*c), frames);
        me.release(*c);
        if (waits) return {frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(n)};
        weft::yield();
    }
}

class Unwind : public test::leak_checked<::testing::TestWithParam<chain (*)()>> {};
INSTANTIATE_TEST_SUITE_P(Compiled, Unwind,
                         ::testing::Values(&test::plain_chain, &test::optimised_chain),
                         [](const auto& which) { return which.index == 0 ? "O0" : "O2"; });

TEST_P(Unwind, ThroughAParkedCoroutineToItsFirstFunction) {
    const chain c = GetParam()();
    run([&c] {
        auto parked = spawn([&c] {
            const chain_end end{[](void*) { test::wait_for_cancel(); }, nullptr};
            return c.enter(end, 3);
        });
        const std::vector<std::uintptr_t> frames = frames_of_parked(parked.get_id());
        const std::size_t at = expect_chain(frames, c);
        EXPECT_GT(at, 0u) << "what parks is there too";
        // Below it: the closure and what calls it, down to coroutine_main, whose caller no unwinder knows.
        ASSERT_GT(frames.size(), at + chain_length);
        EXPECT_LT(frames.size(), at + chain_length + 12);
        for (const std::uintptr_t frame : frames) EXPECT_NE(function_of(frame), nullptr);
        symbols names;
        const std::string last = names.at(frames.back()).lines.back().function;
#if WEFT_BACKTRACE
        EXPECT_NE(last.find("coroutine_main"), std::string::npos) << last;
#endif
        parked.request_stop();
    });
}

TEST_P(Unwind, DoesNotDisturbWhatIsParked) {
    const chain c = GetParam()();
    run([&c] {
        std::atomic<bool> go_on{false};
        auto parked = spawn([&c, &go_on] {
            const chain_end end{[](void* flag) {
                                    while (!static_cast<std::atomic<bool>*>(flag)->load()) {
                                        sleep_for(std::chrono::milliseconds(1));
                                    }
                                },
                                &go_on};
            return c.enter(end, 4);
        });
        for (int i = 0; i != 20; ++i) expect_chain(frames_of_parked(parked.get_id()), c);
        go_on = true;
        const int result = parked.join();
        go_on = true;
        const chain_end nothing{[](void*) {}, nullptr};
        EXPECT_EQ(result, c.enter(nothing, 4));
    });
}

TEST_P(Unwind, KeepsToTheRoomItIsGiven) {
    const chain c = GetParam()();
    run([&c] {
        auto parked = spawn([&c] {
            const chain_end end{[](void*) { test::wait_for_cancel(); }, nullptr};
            return c.enter(end, 3);
        });
        static_cast<void>(frames_of_parked(parked.get_id()));
        coroutine* const found = find(parked.get_id());
        const claimer me;
        while (!me.request(*found)) {}
        heavy_fence();
        ASSERT_TRUE(me.confirm(*found));
        const context_ref context = found->context;
        std::array<std::uintptr_t, 3> few{1, 1, 1};
        EXPECT_EQ(unwind_parked(context, space_of(*found), std::span(few).first(2)), 2u);
        EXPECT_EQ(few[2], 1u);
        EXPECT_EQ(unwind_parked(context, space_of(*found), {}), 0u);
        const stack_store others;
        EXPECT_EQ(unwind_parked(context, {others}, few), 0u) << "frames elsewhere are not followed";
        me.release(*found);
        parked.request_stop();
    });
}

TEST_P(Unwind, FromABorrowedStackToTheCoroutinesOwn) {
    const chain c = GetParam()();
    run([&c] {
        auto parked = spawn([&c] {
            const chain_end inner{[](void*) { test::wait_for_cancel(); }, nullptr};
            struct call {
                const chain& c;
                const chain_end& end;
            } both{c, inner};
            const chain_end outer{[](void* what) {
                                      on_big_stack([&] {
                                          auto& b = *static_cast<call*>(what);
                                          return b.c.enter(b.end, 1);
                                      });
                                  },
                                  &both};
            return c.enter(outer, 2);
        });
        const std::vector<std::uintptr_t> frames = frames_of_parked(parked.get_id());
        const std::size_t first = expect_chain(frames, c);
        ASSERT_GT(frames.size(), first + chain_length);
        expect_chain(std::span(frames).subspan(first + chain_length), c);
        parked.request_stop();
    });
}

TEST_P(Unwind, AnExceptionDoesNotLeaveItsStackByTheWayTheUnwinderSees) {
    const chain c = GetParam()();
    run([&c] {
        const chain_end end{[](void*) { on_big_stack([] { throw 17; }); }, nullptr};
        EXPECT_EQ(c.enter(end, 1), 17);
    });
}

TEST_P(Unwind, ThroughTheCaller) {
    const chain c = GetParam()();
    struct walk {
        all_frames frames{};
        std::size_t size = 0;
    } seen;
    const chain_end end{[](void* into) {
                            auto& w = *static_cast<walk*>(into);
                            w.size = unwind_here(w.frames);
                        },
                        &seen};
    c.enter(end, 1);
    const std::size_t at = expect_chain(std::span(seen.frames).first(seen.size), c);
    EXPECT_GE(at, 1u) << "behind whoever asked";
    EXPECT_LE(at, 2u) << "a lambda may be two functions";
}

struct interruption {
    all_frames frames{};
    std::size_t size = 0;
};
interruption at_signal;

TEST_P(Unwind, ThroughWhatASignalInterrupts) {
    const chain c = GetParam()();
    at_signal = {};
    const auto before =
        std::signal(SIGUSR1, [](int) { at_signal.size = unwind_interrupted(at_signal.frames); });
    const chain_end end{[](void*) { std::raise(SIGUSR1); }, nullptr};
    c.enter(end, 1);
    std::signal(SIGUSR1, before);
    const std::span<const std::uintptr_t> frames =
        std::span(at_signal.frames).first(at_signal.size);
    EXPECT_GT(expect_chain(frames, c), 0u);
}

TEST(UnwindContext, ThatHasNotRunHasNoFrames) {
    alignas(16) std::array<std::byte, 16384> stack{};
    const context_ref context =
        make_context(stack.data() + stack.size(), stack.size(), [](raw_arrival) {});
    all_frames frames;
    EXPECT_EQ(unwind_parked(context, {sched.stacks}, frames), 0u);
}

}  // namespace
}  // namespace weft::detail
