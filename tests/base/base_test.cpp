// The small things at the bottom: lists, printer, generator, bits, owner's cache, checks.
#include "base/assert.hpp"
#include "base/bits.hpp"
#include "base/exclusive.hpp"
#include "base/intrusive_list.hpp"
#include "base/print.hpp"
#include "base/random.hpp"
#include "base/relaxed.hpp"
#include <weft/detail/spin_lock.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace weft::detail {
namespace {

struct node {
    int value = 0;
    node* link = nullptr;
};

template <class List>
std::vector<int> drain(List& list) {
    std::vector<int> values;
    while (const node* n = list.pop()) values.push_back(n->value);
    return values;
}

class IntrusiveLists : public ::testing::Test {
protected:
    IntrusiveLists() {
        for (std::size_t i = 0; i != nodes.size(); ++i) nodes[i].value = static_cast<int>(i);
    }
    template <class List>
    void push_all(List& list) {
        for (node& n : nodes) list.push(n);
    }
    std::array<node, 4> nodes;
    intrusive_queue<node, &node::link> queue;
    intrusive_stack<node, &node::link> stack;
};

TEST_F(IntrusiveLists, AQueueIsFirstInFirstOut) {
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.pop(), nullptr);
    push_all(queue);
    EXPECT_EQ(queue.size(), 4u);
    EXPECT_EQ(drain(queue), (std::vector{0, 1, 2, 3}));
    EXPECT_TRUE(queue.empty());
    queue.push(nodes[2]);
    EXPECT_EQ(drain(queue), (std::vector{2}));
}

TEST_F(IntrusiveLists, AQueueGivesUpAnyOfItsElements) {
    for (std::size_t gone = 0; gone != nodes.size(); ++gone) {
        push_all(queue);
        EXPECT_TRUE(queue.remove(nodes[gone]));
        EXPECT_FALSE(queue.remove(nodes[gone]));
        EXPECT_EQ(queue.size(), 3u);
        queue.push(nodes[gone]);  // The tail is still right.
        std::vector<int> expected;
        for (int i = 0; i != 4; ++i) {
            if (i != static_cast<int>(gone)) expected.push_back(i);
        }
        expected.push_back(static_cast<int>(gone));
        EXPECT_EQ(drain(queue), expected);
    }
}

TEST_F(IntrusiveLists, AQueueOfOneIsEmptyOnceThatIsRemoved) {
    queue.push(nodes[0]);
    EXPECT_TRUE(queue.remove(nodes[0]));
    EXPECT_TRUE(queue.empty());
    queue.push(nodes[1]);
    EXPECT_EQ(drain(queue), (std::vector{1}));
}

TEST_F(IntrusiveLists, AStackIsLastInFirstOut) {
    EXPECT_EQ(stack.pop(), nullptr);
    push_all(stack);
    EXPECT_EQ(stack.top(), &nodes[3]);
    EXPECT_EQ(drain(stack), (std::vector{3, 2, 1, 0}));
    EXPECT_EQ(stack.size(), 0u);
}

TEST_F(IntrusiveLists, AStackGivesUpAnyOfItsElements) {
    push_all(stack);
    EXPECT_TRUE(stack.remove(nodes[3]));
    EXPECT_TRUE(stack.remove(nodes[1]));
    EXPECT_FALSE(stack.remove(nodes[1]));
    EXPECT_EQ(drain(stack), (std::vector{2, 0}));
}

TEST(OwnerCache, IsAStackOfLimitedSize) {
    owner_cache<int, 3> cache;
    EXPECT_TRUE(cache.empty());
    for (int i = 0; i != 3; ++i) cache.push(i);
    EXPECT_TRUE(cache.full());
    EXPECT_EQ(cache.size(), 3u);
    for (int i = 3; i != 0; --i) EXPECT_EQ(cache.pop(), i - 1);
    EXPECT_TRUE(cache.empty());
}

TEST(Relaxed, ReadsWhatWasWritten) {
    relaxed<int> value{3};
    EXPECT_EQ(value, 3);
    EXPECT_EQ(value = 5, 5);
    EXPECT_EQ(value.get(), 5);
}

TEST(Printer, FormatsTextAndNumbers) {
    printer out;
    out << "a " << 1 << " " << -2 << " " << std::uint64_t{18446744073709551615u} << " "
        << std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(out.view(), "a 1 -2 18446744073709551615 -9223372036854775808");
}

TEST(Printer, WritesSizesAsPeopleDo) {
    printer out;
    out.bytes(0) << " ";
    out.bytes(1000) << " ";
    out.bytes(256 * 1024) << " ";
    out.bytes(8 << 20) << " ";
    out.bytes((1 << 20) + 1024);
    EXPECT_EQ(out.view(), "0 B 1000 B 256 KiB 8 MiB 1025 KiB");
}

TEST(Printer, CutsWhatDoesNotFit) {
    printer out;
    const std::string long_text(700, 'x');
    out << long_text << long_text;
    EXPECT_EQ(out.view().size(), 1000u);
    out << "more" << 17;
    EXPECT_EQ(out.view().size(), 1000u);
}

TEST(Printer, FlushWritesToStderrKeepsErrnoAndStartsAfresh) {
    printer out;
    out << "hello\n";
    ::testing::internal::CaptureStderr();
    errno = 42;
    out.flush();
    EXPECT_EQ(errno, 42);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "hello\n");
    EXPECT_EQ(out.view(), "");
}

TEST(Random, TheSameSeedGivesTheSameAndAnotherSomethingElse) {
    random_source a(1), b(1), c(2);
    EXPECT_EQ(a.next(), b.next());
    EXPECT_EQ(a.next(), b.next());
    EXPECT_NE(a.next(), c.next());
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
    random_source random(0);
    std::array<int, 7> times{};
    for (int i = 0; i != 7000; ++i) {
        const std::uint32_t value = random.below(7);
        ASSERT_LT(value, 7u);
        ++times[value];
    }
    for (const int n : times) EXPECT_GT(n, 800) << "a thousand each, roughly";
    EXPECT_EQ(random.below(1), 0u);
}

TEST(Bits, RoundUpAndLogarithm) {
    EXPECT_EQ(round_up(0u, 8u), 0u);
    EXPECT_EQ(round_up(1u, 8u), 8u);
    EXPECT_EQ(round_up(16u, 8u), 16u);
    EXPECT_EQ(log2_ceil(1), 0u);
    EXPECT_EQ(log2_ceil(2), 1u);
    EXPECT_EQ(log2_ceil(3), 2u);
    EXPECT_EQ(log2_ceil(4096), 12u);
    EXPECT_EQ(log2_ceil(4097), 13u);
}

TEST(SpinLock, IsTakenByOneAtATime) {
    spin_lock lock;
    EXPECT_TRUE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock());
}

TEST(CheckDeathTest, AFailedCheckPrintsOneLineAndTheEvidence) {
    EXPECT_DEATH(
        {
            set_evidence_hook([]() noexcept {
                printer out;
                out << "evidence\n";
                out.flush();
            });
            WEFT_CHECK(1 + 1 == 3);
        },
        "base_test.cpp:[0-9]+: weft: check failed: 1 \\+ 1 == 3\nevidence\n");
}

TEST(CheckDeathTest, AnExclusiveSectionAdmitsOne) {
    if constexpr (!assertions) GTEST_SKIP() << "needs WEFT_ASSERTIONS";
    exclusive section;
    { const exclusive::scope once(section); }
    EXPECT_DEATH(
        {
            const exclusive::scope first(section);
            const exclusive::scope second(section);
        },
        "exclusive.hpp:[0-9]+: weft: check failed");
}

}  // namespace
}  // namespace weft::detail
