#include "gc/life_driver.hpp"

#include "gc/life/cleanup.hpp"

#include <weft/detail/gc_cleanup.hpp>
#include <weft/detail/gc_root.hpp>
#include <weft/detail/gc_weak.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace gc = weft::gc;
using namespace weft::detail;

namespace {

std::vector<int> destroyed;  // In their order.

struct node {
    explicit node(int n = 0) : number(n) {}
    ~node() {
        destroyed.push_back(number);
        if (check != nullptr) check(*this);
    }
    int number;
    gc::ptr<node> left;
    gc::ptr<node> right;
    gc::ptr<void> other;
    void (*check)(node&) = nullptr;
};

// Has no destructor.
struct link {
    gc::ptr<node> to;
    gc::ptr<link> next;
};

class GcDestructors : public weft::test::life_heap {
protected:
    void SetUp() override {
        life_heap::SetUp();
        destroyed.clear();
    }
};

TEST_F(GcDestructors, RunOnceForWhatIsDead) {
    const auto kept = keep(make<node>(1));
    static_cast<void>(make<node>(2));
    EXPECT_EQ(collect(), 1u);
    EXPECT_TRUE(destroyed.empty());
    EXPECT_EQ(destructors_pending(), 1u);
    EXPECT_EQ(run_due(), 1u);
    EXPECT_EQ(destroyed, (std::vector<int>{2}));
    EXPECT_EQ(collect(), 0u);
    EXPECT_EQ(run_due(), 0u);
    EXPECT_EQ(kept->number, 1);
}

TEST_F(GcDestructors, GiveTheMemoryBackInTheNextCycle) {
    const void* const object = make<node>(1).get();
    collect();
    EXPECT_TRUE(weft::test::exists(object));
    collect();
    EXPECT_TRUE(weft::test::exists(object));  // Its destructor has not run.
    run_due();
    collect();
    EXPECT_FALSE(weft::test::exists(object));
}

TEST_F(GcDestructors, AreNotDueWhenTheConstructorHasThrown) {
    struct refuses {
        explicit refuses(std::vector<int>& d) : list(d) { throw std::runtime_error("no"); }
        ~refuses() { list.push_back(-1); }
        std::vector<int>& list;
    };
    EXPECT_THROW(make<refuses>(destroyed), std::runtime_error);
    EXPECT_EQ(collect(), 0u);
}

TEST_F(GcDestructors, BeginOutside) {
    // 1 -> 2 -> 3, and 1 -> 3; made in another order.
    const auto three = make<node>(3);
    const auto one = make<node>(1);
    const auto two = make<node>(2);
    one->left = two;
    one->right = three;
    two->left = three;
    EXPECT_EQ(collect(), 3u);
    run_due();
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2, 3}));
}

TEST_F(GcDestructors, BeginOutsideAlsoThroughObjectsWithoutOne) {
    const auto inner = make<node>(2);
    const auto way = make<link>();
    way->next = make<link>();
    way->next->to = inner;
    const auto outer = make<node>(1);
    outer->other = way;
    EXPECT_EQ(collect(), 2u);
    run_due();
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2}));
}

// A random graph: whoever reaches another one, and is not reached by it, comes first.
TEST_F(GcDestructors, OfAnyGraphAreInOrder) {
    constexpr int n = 300;
    std::vector<node*> nodes;
    for (int i = 0; i != n; ++i) nodes.push_back(make<node>(i).get());
    unsigned random = 12345;
    const auto next = [&random] { return random = random * 1664525 + 1013904223; };
    std::vector<std::vector<bool>> reaches(n, std::vector<bool>(n));
    for (std::size_t i = 0; i != n; ++i) {
        for (int k = 0; k != 2; ++k) {
            if (next() % 4 != 0) continue;
            const std::size_t to = (next() >> 8) % n;
            (k == 0 ? nodes[i]->left : nodes[i]->right) = nodes[to];
            reaches[i][to] = true;
        }
    }
    for (std::size_t k = 0; k != n; ++k)
        for (std::size_t i = 0; i != n; ++i)
            if (reaches[i][k])
                for (std::size_t j = 0; j != n; ++j)
                    if (reaches[k][j]) reaches[i][j] = true;
    EXPECT_EQ(collect(), static_cast<std::size_t>(n));
    run_due();
    ASSERT_EQ(destroyed.size(), static_cast<std::size_t>(n));
    std::vector<std::size_t> place(n);
    for (std::size_t i = 0; i != n; ++i) place[static_cast<std::size_t>(destroyed[i])] = i;
    for (std::size_t i = 0; i != n; ++i) {
        for (std::size_t j = 0; j != n; ++j) {
            if (i != j && reaches[i][j] && !reaches[j][i]) {
                ASSERT_LT(place[i], place[j]) << i << " reaches " << j;
            }
        }
    }
}

TEST_F(GcDestructors, OfACycleRunAll) {
    const auto a = make<node>(1);
    const auto b = make<node>(2);
    const auto c = make<node>(3);
    a->left = b;
    b->left = c;
    c->left = a;
    EXPECT_EQ(collect(), 3u);
    run_due();
    std::sort(destroyed.begin(), destroyed.end());
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2, 3}));
    collect();
    EXPECT_EQ(run_due(), 0u);
}

TEST_F(GcDestructors, MayUseWhatTheObjectPointsTo) {
    const auto inner = make<node>(2);
    const auto outer = make<node>(1);
    outer->left = inner;
    outer->other = make<std::string>("a text that is too long for the string itself");
    outer->check = [](node& n) {
        EXPECT_EQ(n.left->number, 2);
        EXPECT_EQ(static_cast<std::string*>(n.other.get())->size(), 45u);
    };
    EXPECT_EQ(collect(), 3u);
    collect();
    collect();  // However long it takes until they run.
    EXPECT_EQ(run_due(), 3u);
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2}));
}

TEST_F(GcDestructors, MayMakeTheObjectReachableAgain) {
    static gc::root<node> saved;
    const auto object = make<node>(1);
    object->left = make<node>(2);
    object->check = [](node& n) { saved = gc::ptr<node>(&n); };
    collect();
    EXPECT_EQ(run_due(), 2u);
    for (int i = 0; i != 3; ++i) {
        collect();
        EXPECT_EQ(run_due(), 0u);  // Each runs once.
        EXPECT_EQ(saved->left->number, 2);
    }
    saved = nullptr;
    collect();
    EXPECT_EQ(run_due(), 0u);
}

TEST_F(GcDestructors, OfAnArrayRunFromItsEnd) {
    static int next = 0;
    struct numbered {
        int number = ++next;
        ~numbered() { destroyed.push_back(number); }
    };
    next = 0;
    {
        const auto array = make_array<numbered>(3);
        EXPECT_EQ(array.size(), 3u);
        roots_.push_back(&array[1]);  // Any element holds all.
    }
    EXPECT_EQ(collect(), 0u);
    drop_all();
    EXPECT_EQ(collect(), 1u);
    run_due();
    EXPECT_EQ(destroyed, (std::vector<int>{3, 2, 1}));
    static_cast<void>(make_array<std::string>(2000));  // A large object.
    EXPECT_EQ(collect(), 1u);
    EXPECT_EQ(run_due(), 1u);
}

TEST_F(GcDestructors, OfAMillionObjectsInARowRunInOrder) {
    constexpr int n = 1'000'000;
    gc::ptr<node> head;
    for (int i = n; i != 0; --i) {
        const auto one = make<node>(i);
        one->left = head;
        head = one;
    }
    head = nullptr;
    destroyed.reserve(n);
    EXPECT_EQ(collect(), static_cast<std::size_t>(n));
    run_due();
    EXPECT_EQ(destroyed.size(), static_cast<std::size_t>(n));
    EXPECT_TRUE(std::is_sorted(destroyed.begin(), destroyed.end()));
    collect();
    EXPECT_EQ(heap_bytes() < std::size_t{20} << 20, true) << heap_bytes();
}

TEST_F(GcDestructors, OfSeveralCyclesRunInTheOrderOfThose) {
    static_cast<void>(make<node>(1));
    collect();
    static_cast<void>(make<node>(2));
    collect();
    static_cast<void>(make<node>(3));
    collect();
    EXPECT_EQ(destructors_pending(), 3u);
    run_due();
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2, 3}));
}

TEST_F(GcDestructors, ThatThrowHaveRun) {
    struct throws {
        ~throws() noexcept(false) { throw std::runtime_error("from a destructor"); }
    };
    static_cast<void>(make<throws>());
    collect();
    const std::uint64_t before = destructors_run();
    EXPECT_THROW(run_due(), std::runtime_error);
    EXPECT_EQ(destructors_run(), before + 1);
    EXPECT_EQ(destructors_pending(), 0u);
    EXPECT_EQ(run_due(), 0u);
}

TEST_F(GcDestructors, FindWeakPointersNull) {
    static gc::weak<node> w;
    static bool was_null;
    const auto object = make<node>(1);
    w = object;
    object->check = [](node&) { was_null = w.lock() == nullptr; };
    collect();
    EXPECT_EQ(w.lock(), nullptr);
    run_due();
    EXPECT_TRUE(was_null);
    w = nullptr;
}

TEST_F(GcDestructors, RunOnSeveralThreadsAtOnce) {
    static std::atomic<int> count;
    static std::atomic<int> inside;
    static std::atomic<int> most;
    struct slow {
        ~slow() {
            int now = ++inside;
            for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
            ++count;
            std::this_thread::yield();
            --inside;
        }
    };
    count = 0;
    constexpr int n = 5000;
    for (int i = 0; i != n; ++i) static_cast<void>(make<slow>());
    EXPECT_EQ(collect(), static_cast<std::size_t>(n));
    std::vector<std::thread> threads;
    for (int t = 0; t != 3; ++t) threads.emplace_back([] { run_due(); });
    // Beside walks through what is due.
    std::size_t seen = 0;
    do {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        seen = 0;
        for_each_pending([&](const void*) { ++seen; });
    } while (seen != 0);
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(count, n);
}

TEST_F(GcDestructors, AreShownWhileTheyRun) {
    static running_destructor shown;
    EXPECT_EQ(oldest_running_destructor().since_ns, 0);
    const auto object = make<node>(1);
    object->check = [](node&) { shown = oldest_running_destructor(); };
    collect();
    run_due();
    EXPECT_EQ(shown.type, &gc_type_of<node>);
    EXPECT_GT(shown.since_ns, 0);
    EXPECT_NE(std::string(shown.type->name).find("node"), std::string::npos);
}

// Cleanups. ----------------------------------------------------------------------------------------------------------

std::vector<std::string> said;

class GcCleanups : public weft::test::life_heap {
protected:
    void SetUp() override {
        life_heap::SetUp();
        destroyed.clear();
        said.clear();
    }
    // gc::cleanup(), from the heap of the test.
    template <class T, class F>
    gc::cleanup_handle arrange(const gc::ptr<T>& object, F f) {
        void* const memory = weft::test::allocate(*heap_, sizeof(F), gc_kind::scanned);
        return gc::cleanup_handle(
            gc_add_cleanup(object.get(), ::new (memory) F(std::move(f)), cleanup_call<F>::type));
    }
};

TEST_F(GcCleanups, RunWhenTheObjectIsGone) {
    const auto object = keep(make<link>());
    arrange(object, [] { said.emplace_back("a"); });
    arrange(object, [] { said.emplace_back("b"); });
    EXPECT_EQ(collect(), 0u);
    drop_all();
    EXPECT_EQ(collect(), 2u);
    EXPECT_TRUE(said.empty());
    EXPECT_EQ(run_due(), 2u);
    EXPECT_EQ(said, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(collect(), 0u);
}

TEST_F(GcCleanups, RunBehindTheDestructor) {
    const auto object = make<node>(1);
    object->check = [](node&) { said.emplace_back("destructor"); };
    arrange(object, [] { said.emplace_back("cleanup"); });
    const auto plain = make<link>();
    arrange(plain, [] { said.emplace_back("plain"); });
    EXPECT_EQ(collect(), 2u);
    run_due();
    EXPECT_EQ(said.size(), 3u);
    EXPECT_EQ(said[0], "destructor");
    EXPECT_EQ(std::count(said.begin(), said.end(), "cleanup"), 1);
}

TEST_F(GcCleanups, HoldWhatTheyCapture) {
    const auto object = make<link>();
    const auto other = make<link>();
    other->to = make<node>(5);
    arrange(object, [other] { said.push_back(std::to_string(other->to->number)); });
    EXPECT_EQ(collect(), 1u);
    collect();
    run_due();
    EXPECT_EQ(said, (std::vector<std::string>{"5"}));
    collect();
    EXPECT_EQ(run_due(), 1u);  // The node that was held is dead now.
    EXPECT_EQ(destroyed, (std::vector<int>{5}));
}

TEST_F(GcCleanups, AreCancelled) {
    const auto alive = std::make_shared<int>(1);
    const auto object = keep(make<link>());
    gc::cleanup_handle a = arrange(object, [alive] { said.emplace_back("a"); });
    const gc::cleanup_handle b = arrange(object, [alive] { said.emplace_back("b"); });
    gc::cleanup_handle c = arrange(object, [alive] { said.emplace_back("c"); });
    gc::cleanup_handle copy = b;
    EXPECT_EQ(alive.use_count(), 4);
    EXPECT_TRUE(copy.cancel());
    EXPECT_EQ(alive.use_count(), 3);  // Destroyed at once.
    EXPECT_FALSE(copy.cancel());
    drop_all();
    collect();
    EXPECT_TRUE(a.cancel());  // Due, and not yet run.
    EXPECT_EQ(run_due(), 2u);
    EXPECT_EQ(said, (std::vector<std::string>{"c"}));
    EXPECT_FALSE(c.cancel());
    EXPECT_EQ(alive.use_count(), 1);
    gc::cleanup_handle none;
    EXPECT_FALSE(none.cancel());
}

TEST_F(GcCleanups, RefuseToHoldTheirObject) {
    const auto object = keep(make<link>());
    EXPECT_THROW(arrange(object, [object] {}), std::invalid_argument);
    EXPECT_THROW(arrange(object, [p = &object->next] {}), std::invalid_argument);
    EXPECT_THROW(arrange(gc::ptr<link>(), [] {}), std::invalid_argument);
    int outside = 0;
    EXPECT_THROW(arrange(gc::ptr<int>(&outside), [] {}), std::invalid_argument);
}

TEST_F(GcCleanups, DoNotRunForWhatIsAliveAtTheEnd) {
    arrange(keep(make<link>()), [] { said.emplace_back("never"); });
    forget_all_weak();
    EXPECT_EQ(run_due(), 0u);
    EXPECT_TRUE(said.empty());
}

}  // namespace
