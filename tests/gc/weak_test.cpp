#include "gc/life_driver.hpp"

#include <weft/detail/gc_root.hpp>
#include <weft/detail/gc_weak.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace gc = weft::gc;
using namespace weft::detail;

namespace {

struct thing {
    int number = 0;
    gc::ptr<thing> next;
    int last = 0;
};

class GcWeak : public weft::test::life_heap {};

TEST_F(GcWeak, GiveTheObjectAsLongAsItIsThere) {
    const auto object = keep(make<thing>());
    const gc::weak<thing> w(object);
    EXPECT_EQ(w.lock(), object);
    EXPECT_FALSE(w.expired());
    collect();
    EXPECT_EQ(w.lock(), object);
    drop_all();
    EXPECT_EQ(w.lock(), object);  // Nobody has looked yet.
    collect();
    EXPECT_EQ(w.lock(), nullptr);
    EXPECT_TRUE(w.expired());
}

TEST_F(GcWeak, KeepNothingAlive) {
    auto object = keep(make<thing>());
    object->next = make<thing>();
    const gc::weak<thing> next(object->next);
    object->next = nullptr;
    collect();
    EXPECT_EQ(next.lock(), nullptr);
}

TEST_F(GcWeak, OfNothingAreEmpty) {
    const gc::weak<thing> none;
    const gc::weak<thing> null{gc::ptr<thing>()};
    EXPECT_EQ(none.lock(), nullptr);
    EXPECT_TRUE(none.expired());
    EXPECT_EQ(none, null);
}

TEST_F(GcWeak, MayPointIntoTheMiddle) {
    const auto object = keep(make<thing>());
    const gc::ptr<int> inside(object, &object->last);
    const gc::weak<int> w(inside);
    const gc::weak<int> front(gc::ptr<int>(object, &object->number));
    EXPECT_EQ(w.lock().get(), &object->last);
    EXPECT_NE(w, front);
    collect();
    EXPECT_EQ(w.lock().get(), &object->last);
    drop_all();
    collect();
    EXPECT_EQ(w.lock(), nullptr);
    EXPECT_EQ(front.lock(), nullptr);
}

TEST_F(GcWeak, CompareAndHashTheSameWhenTheObjectIsGone) {
    const gc::weak<thing> a(keep(make<thing>()));
    const gc::weak<thing> b(keep(make<thing>()));
    const gc::weak<thing> again(a.lock());
    EXPECT_EQ(a, again);
    EXPECT_NE(a, b);
    const bool less = a < b;
    const std::size_t hash = std::hash<gc::weak<thing>>()(a);
    drop_all();
    collect();
    EXPECT_EQ(a.lock(), nullptr);
    EXPECT_EQ(a, again);
    EXPECT_NE(a, b);
    EXPECT_EQ(a < b, less);
    EXPECT_EQ(std::hash<gc::weak<thing>>()(a), hash);
    // A new object at the same address is another one.
    for (int i = 0; i != 3000; ++i) {
        const gc::weak<thing> other(make<thing>());
        EXPECT_NE(other, a);
    }
}

TEST_F(GcWeak, ToWhatLiesElsewhereNeverExpire) {
    thing outside;
    const gc::weak<thing> w{gc::ptr<thing>(&outside)};
    collect();
    EXPECT_EQ(w.lock().get(), &outside);
}

TEST_F(GcWeak, AreCopiedAndMoved) {
    const auto object = keep(make<thing>());
    gc::weak<thing> a(object);
    gc::weak<thing> b = a;
    gc::weak<thing> c = std::move(a);
    EXPECT_TRUE(a.expired());
    EXPECT_EQ(b, c);
    a = c;
    swap(a, b);
    a = std::move(b);
    const auto& same = a;
    a = same;
    EXPECT_EQ(a.lock(), object);
    a = nullptr;
    c.reset();
    a = object;
    EXPECT_EQ(a.lock(), object);
    struct base {
        int n = 0;
    };
    struct derived : base {};
    const auto d = keep(make<derived>());
    const gc::weak<base> to_base = d;
    EXPECT_EQ(to_base.lock(), d);
}

TEST_F(GcWeak, MayBeVeryMany) {
    constexpr std::size_t n = 100'000;
    std::vector<gc::weak<thing>> all;
    all.reserve(n);
    for (std::size_t i = 0; i != n; ++i) {
        const auto object = make<thing>();
        object->number = static_cast<int>(i);
        if (i % 3 == 0) keep(object);
        all.emplace_back(object);
    }
    std::unordered_set<gc::weak<thing>> set(all.begin(), all.end());
    EXPECT_EQ(set.size(), n);
    collect();
    for (std::size_t i = 0; i != n; ++i) {
        const auto object = all[i].lock();
        ASSERT_EQ(object != nullptr, i % 3 == 0) << i;
        if (object != nullptr) {
            ASSERT_EQ(object->number, static_cast<int>(i));
        }
        ASSERT_TRUE(set.contains(all[i]));
    }
}

// Handles of the same few objects come and go on all threads.
TEST_F(GcWeak, AreCountedBySeveralThreadsAtOnce) {
    std::vector<gc::root<thing>> objects;
    for (int i = 0; i != 4; ++i) objects.push_back(keep(make<thing>()));
    std::vector<std::thread> threads;
    for (int t = 0; t != 3; ++t) {
        threads.emplace_back([&objects, t] {
            for (int i = 0; i != 20'000; ++i) {
                const gc::ptr<thing> object = objects[static_cast<std::size_t>((i + t) % 4)];
                const gc::weak<thing> a(object);
                const gc::weak<thing> b(a);
                gc::weak<thing> c(object);
                ASSERT_EQ(a, c);
                c = b;
                ASSERT_EQ(c.lock(), object);
            }
        });
    }
    for (std::thread& t : threads) t.join();
    drop_all();
    const gc::weak<thing> w(objects[0]);
    objects.clear();
    collect();
    EXPECT_TRUE(w.expired());
}

// The gate. ----------------------------------------------------------------------------------------------------------

class GcWeakGate : public ::testing::Test {
protected:
    const void* pass() {
        return gate.pass(
            cell,
            [this](const void* p) {
                ++shaded;
                EXPECT_EQ(p, &object);
                if (on_shade) on_shade();
            },
            [this](const void*) {
                const bool was = marked;
                if (on_look) on_look();
                return was;
            });
    }

    int object = 0;
    std::atomic<const void*> cell{&object};
    weak_gate gate;
    bool marked = false;
    int shaded = 0;
    std::function<void()> on_shade;
    std::function<void()> on_look;
};

TEST_F(GcWeakGate, IsOpenWhileNothingMarks) {
    EXPECT_EQ(pass(), &object);
    EXPECT_EQ(shaded, 0);
    cell = nullptr;
    EXPECT_EQ(pass(), nullptr);
}

TEST_F(GcWeakGate, ShadesWhileMarking) {
    gate.set(weak_phase::marking);
    EXPECT_EQ(pass(), &object);
    EXPECT_EQ(shaded, 1);
}

TEST_F(GcWeakGate, ReversesTheDecision) {
    gate.set(weak_phase::deciding);
    EXPECT_EQ(pass(), &object);
    EXPECT_EQ(shaded, 1);
    EXPECT_EQ(gate.get(), weak_phase::revived);
    EXPECT_EQ(pass(), &object);
    EXPECT_EQ(shaded, 2);
    EXPECT_FALSE(gate.close());
    gate.set(weak_phase::marking);
    gate.set(weak_phase::deciding);
    EXPECT_TRUE(gate.close());
}

TEST_F(GcWeakGate, LetsTheMarkedPassWhenItIsClosed) {
    gate.set(weak_phase::deciding);
    EXPECT_TRUE(gate.close());
    EXPECT_EQ(pass(), nullptr);
    marked = true;
    EXPECT_EQ(pass(), &object);
    EXPECT_EQ(shaded, 0);
}

// The collector closes the gate between the look at the phase and the attempt to reverse it.
TEST_F(GcWeakGate, AgreesWithWhoClosesItInBetween) {
    gate.set(weak_phase::deciding);
    on_shade = [this] { EXPECT_TRUE(gate.close()); };
    EXPECT_EQ(pass(), nullptr);
    gate.set(weak_phase::deciding);
    marked = true;
    EXPECT_EQ(pass(), &object);
    // Marking was resumed meanwhile: the object has been shaded, so it lives.
    marked = false;
    gate.set(weak_phase::deciding);
    on_shade = [this] { gate.set(weak_phase::marking); };
    EXPECT_EQ(pass(), &object);
}

// A processor that has answered the last handshake sweeps, and takes marks away, before ours has.
TEST_F(GcWeakGate, DoesNotTakeSweptBitsForDeath) {
    gate.set(weak_phase::clear);
    on_look = [this] { gate.set(weak_phase::idle); };  // The bits read 0: swept.
    EXPECT_EQ(pass(), &object);
    gate.set(weak_phase::clear);
    on_look = [this] {
        cell = nullptr;  // It was dead, and is cleared.
        gate.set(weak_phase::idle);
    };
    EXPECT_EQ(pass(), nullptr);
}

// An object that is revived for its destructor is marked, but its cell was cleared before.
TEST_F(GcWeakGate, DoesNotTakeTheRevivedForAlive) {
    gate.set(weak_phase::clear);
    marked = true;
    on_look = [this] { cell = nullptr; };
    EXPECT_EQ(pass(), nullptr);
}

}  // namespace
