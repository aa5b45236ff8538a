// The child of a fork() in the middle of everything: it may allocate, and never collects.
#include "support/runtime_fixture.hpp"

#include <weft/chan.hpp>
#include <weft/gc.hpp>
#include <weft/go.hpp>
#include <weft/scope.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

struct node {
    explicit node(int n) : number(n) {}
    int number;
    gc::ptr<node> next;
};

gc::ptr<node> make_list(int length) {
    gc::ptr<node> first;
    for (int i = 0; i != length; ++i) {
        auto n = gc::make<node>(i);
        n->next = first;
        first = n;
    }
    return first;
}

int sum(const node* n) {
    int total = 0;
    for (; n != nullptr; n = n->next.get()) total += n->number;
    return total;
}

constexpr const char* inherits_locks =
    "a child may inherit the sanitizer's own locks, held by others";

constexpr int list_length = 500;
constexpr int list_sum = list_length * (list_length - 1) / 2;

// Returns the number of what is wrong in the child; 0: nothing.
int look_around(const gc::ptr<node>& from_before, const gc::root<node>& root, gc::weak<node> weak) {
    if (sum(from_before.get()) != list_sum) return 2;
    if (sum(root.get()) != list_sum) return 3;
    if (weak.lock() != root) return 4;
    // More than what would begin a cycle.
    gc::root<node> kept;
    for (int i = 0; i != 400; ++i) {
        const auto list = make_list(list_length);
        if (i % 100 == 0) kept = list;
        if (sum(list.get()) != list_sum) return 5;
    }
    if (sum(kept.get()) != list_sum) return 6;
    const auto large = gc::make_array<gc::ptr<node>>(100'000);
    large[99'999] = kept;
    chan<gc::ptr<node>> carried(1);
    carried.send(large[99'999]);
    if (sum(carried.recv()->get()) != list_sum) return 7;
    try {
        gc::collect();
        return 8;
    } catch (const std::logic_error&) {}
    if (sum(from_before.get()) != list_sum) return 9;
    return 0;
}

class GcFork : public with_runtime {};

// Returns how the child ended.
int status_of(pid_t child) {
    return blocking([child] {
        int s = 0;
        EXPECT_EQ(::waitpid(child, &s, 0), child);
        return s;
    });
}

// In a process that has made none before; so it is one of its own.
TEST(GcForkDeathTest, AChildMakesTheFirstObjects) {
    if (thread_sanitizer) GTEST_SKIP() << inherits_locks;
    const auto forks = [] {
        weft::run([] {
            const pid_t child = ::fork();
            if (child == 0) {
                const auto list = make_list(list_length);
                try {
                    gc::collect();
                    ::_exit(1);
                } catch (const std::logic_error&) {}
                ::_exit(sum(list.get()) == list_sum ? 0 : 2);
            }
            const int status = status_of(child);
            ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
        });
    };
    EXPECT_EXIT(forks(), ::testing::ExitedWithCode(0), "");
}

TEST_P(GcFork, ChildrenAllocateInTheMiddleOfCycles) {
    if (thread_sanitizer) GTEST_SKIP() << inherits_locks;
    run([] {
        std::atomic<bool> stop = false;
        scope beside;
        for (int i = 0; i != 3; ++i) {
            beside.go([&] {
                while (!stop.load(std::memory_order_relaxed)) {
                    EXPECT_EQ(sum(make_list(list_length).get()), list_sum);
                    const gc::root<node> comes_and_goes = make_list(3);
                    gc::weak<node> w = comes_and_goes;
                    const chan<gc::ptr<node>> carrier(3);
                    checkpoint();
                }
            });
        }
        beside.go([&] {
            while (!stop.load(std::memory_order_relaxed)) gc::collect();
        });
        const auto list = make_list(list_length);
        const gc::root<node> root = make_list(list_length);
        const gc::weak<node> weak = root;
        for (int i = 0; i != 40; ++i) {
            yield();
            const pid_t child = ::fork();
            if (child == 0) {
                ::_exit(look_around(list, root, weak));
            }
            ASSERT_GT(child, 0);
            const int status = status_of(child);
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        }
        stop = true;
        beside.join();
        gc::collect();
        EXPECT_EQ(sum(list.get()), list_sum);
        EXPECT_EQ(sum(root.get()), list_sum);
    });
}

WEFT_TEST_PROCESSORS(GcFork);

}  // namespace
}  // namespace weft::test
