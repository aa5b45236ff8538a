#include "gc/life/roots.hpp"

#include <weft/detail/gc_root.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace gc = weft::gc;
using namespace weft::detail;

namespace {

// Where roots point to does not matter: nothing is collected here.
int objects[1000];

gc::ptr<int> object(std::size_t n) { return gc::ptr<int>(&objects[n]); }

std::vector<const void*> seen() {
    std::vector<const void*> all;
    for_each_root([&](const void* p) { all.push_back(p); });
    std::sort(all.begin(), all.end());
    return all;
}
std::vector<const void*> only(std::initializer_list<const void*> pointers) {
    std::vector<const void*> all(pointers);
    std::sort(all.begin(), all.end());
    return all;
}

constinit gc::root<int> global;  // Constant-initialised.

TEST(GcRoots, AreListedWhileTheyPointToSomething) {
    EXPECT_FALSE(any_root());
    {
        gc::root<int> a;
        EXPECT_FALSE(any_root());
        a = object(1);
        EXPECT_TRUE(any_root());
        EXPECT_EQ(seen(), only({&objects[1]}));
        a = object(2);
        EXPECT_EQ(seen(), only({&objects[2]}));
        a = nullptr;
        EXPECT_FALSE(any_root());
        a = object(3);
        EXPECT_EQ(seen(), only({&objects[3]}));
    }
    EXPECT_FALSE(any_root());
}

TEST(GcRoots, CopiesAreRootsOfTheirOwn) {
    gc::root<int> a(object(1));
    gc::root<int> b(a);
    EXPECT_EQ(seen(), only({&objects[1], &objects[1]}));
    gc::root<int> c(std::move(a));
    EXPECT_EQ(a, nullptr);
    EXPECT_EQ(c, b);
    EXPECT_EQ(seen(), only({&objects[1], &objects[1]}));
    a = object(2);
    swap(a, b);
    EXPECT_EQ(*&*b, objects[2]);
    EXPECT_EQ(b.get(), &objects[2]);
    b = std::move(c);
    EXPECT_EQ(seen(), only({&objects[1], &objects[1]}));
    const auto& same = b;
    b = same;
    EXPECT_EQ(b.get(), &objects[1]);
    b.reset();
    a.reset();
    EXPECT_FALSE(any_root());
}

TEST(GcRoots, ConvertToAndFromPointers) {
    struct base {
        int n = 0;
    };
    struct derived : base {};
    derived d;
    const gc::ptr<derived> p(&d);
    gc::root<derived> r = p;
    gc::root<const base> b = r;
    const gc::ptr<derived> q = r;
    const gc::ptr<base> s = r;
    EXPECT_EQ(q, p);
    EXPECT_EQ(s.get(), &d);
    EXPECT_EQ(b->n, 0);
    EXPECT_TRUE(r);
    EXPECT_TRUE(r == p);
    EXPECT_EQ(std::hash<gc::root<derived>>()(r), std::hash<gc::ptr<derived>>()(p));
    const gc::root<void> any = gc::ptr<void>(&d);
    EXPECT_EQ(any.get(), &d);
}

TEST(GcRoots, InStaticMemoryAreLikeOthers) {
    global = object(7);
    EXPECT_EQ(seen(), only({&objects[7]}));
    global = nullptr;
}

TEST(GcRoots, InTheMiddleOfAListGoInOneStep) {
    std::vector<std::optional<gc::root<int>>> roots(1000);
    for (std::size_t i = 0; i != roots.size(); ++i) roots[i].emplace(object(i));
    EXPECT_EQ(seen().size(), 1000u);
    for (std::size_t i = 0; i < roots.size(); i += 2) roots[i].reset();
    const std::vector<const void*> left = seen();
    EXPECT_EQ(left.size(), 500u);
    for (std::size_t i = 1; i < roots.size(); i += 2) {
        EXPECT_TRUE(std::binary_search(left.begin(), left.end(), &objects[i]));
    }
}

// Neighbours on a list are not found by who scans the memory of a root.
TEST(GcRoots, HideTheirNeighbours) {
    std::vector<gc::root<int>> roots(200, gc::root<int>(object(1)));
    for (const gc::root<int>& r : roots) {
        const auto* const words = reinterpret_cast<const std::uintptr_t*>(&r);
        for (std::size_t i = 0; i != sizeof r / sizeof *words; ++i) {
            const auto* const p = reinterpret_cast<const gc::root<int>*>(words[i]);
            EXPECT_FALSE(p >= roots.data() && p < roots.data() + roots.size());
        }
    }
}

TEST(GcRoots, AWalkMeetsThoseThatStayBesideOthersThatComeAndGo) {
    std::vector<gc::root<int>> staying;
    for (std::size_t i = 0; i != 500; ++i) staying.emplace_back(object(i));
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t != 2; ++t) {
        threads.emplace_back([&] {
            while (!stop) {
                std::vector<std::unique_ptr<gc::root<int>>> coming;
                for (std::size_t i = 0; i != 300; ++i) {
                    coming.push_back(std::make_unique<gc::root<int>>(object(999)));
                }
                for (auto& r : coming) *r = object(998);
            }
        });
    }
    // Two walkers, who meet each other's cursors.
    threads.emplace_back([&] {
        while (!stop) static_cast<void>(any_root());
    });
    for (int round = 0; round != 300; ++round) {
        std::vector<int> met(1000);
        for_each_root([&](const void* p) {
            ++met[static_cast<std::size_t>(static_cast<const int*>(p) - objects)];
        });
        for (std::size_t i = 0; i != 500; ++i) ASSERT_EQ(met[i], 1) << i;
    }
    stop = true;
    for (std::thread& t : threads) t.join();
}

}  // namespace
