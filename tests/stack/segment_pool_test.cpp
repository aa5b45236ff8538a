#include "stack/segment_cache.hpp"
#include "stack/segment_pool.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include <sys/mman.h>

namespace weft::detail {
namespace {

class SegmentPool : public ::testing::Test {
protected:
    ~SegmentPool() override { pool.release(); }

    std::vector<segment*> take(unsigned size_class, std::size_t count) {
        std::vector<segment*> all;
        for (segment* s = pool.take(size_class, count); s != nullptr;) {
            all.push_back(s);
            s = s->link;
        }
        return all;
    }
    void give(const std::vector<segment*>& all) {
        for (segment* const s : all) {
            s->link = nullptr;
            pool.give(s);
        }
    }
    static void touch(const segment& s) {
        std::memset(s.base() + sizeof(std::uint64_t), 1, s.size() - sizeof(segment) - 8);
    }
    static std::size_t resident(const std::byte* page, std::size_t size) {
        std::vector<unsigned char> pages(size / page_size);
        EXPECT_EQ(mincore(const_cast<std::byte*>(page), size, pages.data()), 0);
        std::size_t count = 0;
        for (const unsigned char one : pages) count += one & 1;
        return count;
    }

    segment_pool pool;
};

TEST_F(SegmentPool, GivesEachSegmentOnce) {
    std::set<std::uintptr_t> taken;
    for (unsigned c = 0; c != class_huge; ++c) {
        for (segment* const s : take(c, 150)) {
            EXPECT_EQ(s->size(), size_of_class(c));
            EXPECT_TRUE(s->canary_intact());
            EXPECT_TRUE(taken.insert(reinterpret_cast<std::uintptr_t>(s->base())).second);
            touch(*s);
            EXPECT_TRUE(s->canary_intact());
        }
    }
    EXPECT_EQ(taken.size(), 150u * class_huge);
    // None overlaps the next.
    std::uintptr_t end = 0;
    for (const std::uintptr_t base : taken) {
        EXPECT_GE(base, end);
        end = base + 1024;
    }
}

TEST_F(SegmentPool, CountsWhatIsOut) {
    const auto some = take(2, 10);
    segment* const huge = pool.take_huge(200'000);
    ASSERT_NE(huge, nullptr);
    EXPECT_GE(usable_of(huge->size()), 200'000u);
    EXPECT_EQ(pool.bytes_out(), 10 * size_of_class(2) + huge->size());
    give(some);
    pool.give_huge(*huge);
    EXPECT_EQ(pool.bytes_out(), 0u);
}

TEST_F(SegmentPool, GivesThemAgain) {
    const auto first = take(0, 64);
    give(first);
    const auto second = take(0, 64);
    EXPECT_EQ(std::set<segment*>(first.begin(), first.end()),
              std::set<segment*>(second.begin(), second.end()));
}

TEST_F(SegmentPool, KeepsAFewHugeOnes) {
    segment* const one = pool.take_huge(100'000);
    pool.give_huge(*one);
    EXPECT_EQ(pool.take_huge(90'000), one);
    EXPECT_NE(pool.take_huge(90'000), one);
}

TEST_F(SegmentPool, GivesPagesBackThatLayFreeForARound) {
    // A slab of tiny ones: the first page stays in use.
    const auto all = take(0, 64);
    for (segment* const s : all) touch(*s);
    std::byte* lowest = all.front()->base();
    for (segment* const s : all) lowest = std::min(lowest, s->base());
    EXPECT_EQ(resident(lowest, 65'536), 16u);
    std::vector<segment*> rest;
    segment* kept = nullptr;
    for (segment* const s : all) {
        if (s->base() == lowest) {
            kept = s;
        } else {
            rest.push_back(s);
        }
    }
    give(rest);
    pool.cool();
    EXPECT_EQ(resident(lowest, 65'536), 16u) << "it may be wanted again at once";
    EXPECT_EQ(pool.cool(), 15 * page_size);
    EXPECT_EQ(resident(lowest, 65'536), 1u);
    EXPECT_TRUE(kept->canary_intact());
    for (segment* const s : take(0, 63)) {
        EXPECT_TRUE(s->canary_intact());
        touch(*s);
    }
}

TEST_F(SegmentPool, GivesAWholeSlabToAnotherClass) {
    const auto tiny = take(0, 64);
    std::byte* lowest = tiny.front()->base();
    for (segment* const s : tiny) lowest = std::min(lowest, s->base());
    give(tiny);
    pool.cool();
    pool.cool();
    const auto larger = take(4, 4);
    bool same_place = false;
    for (segment* const s : larger) same_place = same_place || s->base() == lowest;
    EXPECT_TRUE(same_place);
}

TEST_F(SegmentPool, CoolsLargeOnesToo) {
    const auto all = take(class_large, 8);
    for (segment* const s : all) touch(*s);
    give(all);
    pool.cool();
    EXPECT_GE(pool.cool(), 8 * 15 * page_size);
    for (segment* const s : all) EXPECT_LE(resident(s->base(), size_of_class(class_large)), 1u);
}

TEST_F(SegmentPool, KnowsWhatStaysMapped) {
    const auto one = take(1, 1);
    EXPECT_TRUE(pool.stays_mapped(one.front()));
    EXPECT_FALSE(pool.stays_mapped(&pool));
}

TEST_F(SegmentPool, IsBehindACache) {
    segment_cache cache;
    std::vector<segment*> held;
    for (int i = 0; i != 300; ++i) {
        segment* const s = cache.take(3, pool);
        ASSERT_NE(s, nullptr);
        held.push_back(s);
    }
    EXPECT_EQ(std::set<segment*>(held.begin(), held.end()).size(), held.size());
    for (segment* const s : held) cache.give(*s, pool);
    EXPECT_LE(pool.bytes_out(),
              static_cast<std::size_t>(segment_cache::capacity_of(3)) * size_of_class(3));
    cache.empty_into(pool);
    EXPECT_EQ(pool.bytes_out(), 0u);
}

}  // namespace
}  // namespace weft::detail
