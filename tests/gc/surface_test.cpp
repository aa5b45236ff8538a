// weft/gc.hpp as a program uses it: by its public names, with collections in between.
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/gc.hpp>
#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class GcSurface : public with_runtime {};
WEFT_TEST_PROCESSORS(GcSurface);
using GcOutside = plain_runtime;

// The collector finds what earlier calls have left on the stack, too.
[[gnu::noinline]] void overwrite_stack() {
    std::array<volatile char, 4096> room;
    for (auto& byte : room) byte = 1;
}

// Runs f on a coroutine of its own, whose stack is gone afterwards, with whatever pointers it had.
template <class F>
void elsewhere(F f) {
    spawn(std::move(f)).join();
}

// Collects until `condition` holds. A few times, because a register or a dead part of the stack may keep an object
// for a while.
template <class Condition>
[[nodiscard]] bool after_collections(Condition&& condition) {
    for (int i = 0; i != 20; ++i) {
        overwrite_stack();
        gc::collect();
        if (condition()) return true;
        yield();
    }
    return false;
}

struct tree {
    gc::ptr<tree> left;
    gc::ptr<tree> right;
    int key = 0;
};

gc::ptr<tree> make_tree(int depth) {
    auto t = gc::make<tree>();
    t->key = depth;
    if (depth != 0) {
        t->left = make_tree(depth - 1);
        t->right = make_tree(depth - 1);
    }
    return t;
}
int count(const tree* t) {
    return t == nullptr ? 0 : 1 + count(t->left.get()) + count(t->right.get());
}

// Making objects. ----------------------------------------------------------------------------------------------------

TEST_P(GcSurface, MakesAggregatesAndClasses) {
    run([] {
        struct point {
            int x, y;
        };
        const auto p = gc::make<point>(1, 2);
        EXPECT_EQ(p->y, 2);
        const auto zero = gc::make<point>();
        EXPECT_EQ(zero->x, 0);
        const auto text = gc::make<std::string>(3u, 'x');
        EXPECT_EQ(*text, "xxx");
        const gc::ptr<const int> constant = gc::make<const int>(7);
        EXPECT_EQ(*constant, 7);
        struct alignas(256) wide {
            char c[300] = {};
        };
        for (int i = 0; i != 10; ++i) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(gc::make<wide>().get()) % 256, 0u);
        }
        const auto large = gc::make<std::array<char, 100'000>>();
        EXPECT_EQ(std::count(large->begin(), large->end(), 0), 100'000);
    });
}

TEST_P(GcSurface, KeepsWhatIsReachable) {
    run([] {
        const auto root = make_tree(12);
        for (int i = 0; i != 5; ++i) {
            static_cast<void>(make_tree(10));
            gc::collect();
            EXPECT_EQ(count(root.get()), (1 << 13) - 1);
        }
    });
}

TEST_P(GcSurface, ConstructorsThatThrowHaveNoDestructor) {
    static int destroyed;
    destroyed = 0;
    struct member {
        ~member() { ++destroyed; }
    };
    struct refuses {
        refuses() { throw std::runtime_error("no"); }
        ~refuses() { destroyed += 100; }
        member m;
    };
    run([] {
        EXPECT_THROW(static_cast<void>(gc::make<refuses>()), std::runtime_error);
        gc::collect();
        gc::collect();
        EXPECT_EQ(destroyed, 1);  // The member's, by the language.
    });
}

TEST_P(GcSurface, MakesArrays) {
    run([] {
        const auto numbers = gc::make_array<int>(1000);
        EXPECT_EQ(numbers.size(), 1000u);
        EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 0);
        std::iota(numbers.begin(), numbers.end(), 0);
        EXPECT_EQ(numbers[999], 999);
        const std::span<int> all = numbers;
        EXPECT_EQ(all.size(), numbers.span().size());
        const auto none = gc::make_array<std::string>(0);
        EXPECT_TRUE(none.empty());
        EXPECT_NE(none, nullptr);
        const gc::ptr<int[]> null;
        EXPECT_EQ(null.size(), 0u);
        EXPECT_EQ(null.begin(), null.end());
        const gc::ptr<const int[]> constant = numbers;
        EXPECT_EQ(constant.size(), 1000u);
        struct alignas(64) wide {
            int n = 5;
        };
        for (const wide& w : gc::make_array<wide>(9)) {
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&w) % 64, 0u);
            EXPECT_EQ(w.n, 5);
        }
        EXPECT_THROW(static_cast<void>(gc::make_array<double>(SIZE_MAX / 4)), std::bad_alloc);
        EXPECT_THROW(static_cast<void>(gc::make_array<double>(SIZE_MAX)), std::bad_alloc);
    });
}

TEST_P(GcSurface, PointersPastTheEndKeepAnArray) {
    run([] {
        for (const std::size_t n : {1u, 2u, 3u, 5u, 8u, 100u, 1023u, 4000u}) {
            const int* past = nullptr;
            gc::weak<int> first;
            {
                const auto numbers = gc::make_array<int>(n);
                std::iota(numbers.begin(), numbers.end(), 1);
                past = numbers.end();
                first = gc::ptr<int>(numbers, numbers.get());
            }
            gc::collect();
            gc::collect();
            EXPECT_NE(first.lock(), nullptr);
            EXPECT_EQ(past[-1], static_cast<int>(n));
        }
    });
}

TEST_P(GcSurface, ElementsOfArraysAreDestroyedFromTheEnd) {
    static std::vector<int> destroyed;
    static int next;
    destroyed.clear();
    next = 0;
    struct numbered {
        int number = ++next;
        ~numbered() { destroyed.push_back(number); }
    };
    run([] {
        elsewhere([&] { static_cast<void>(gc::make_array<numbered>(3)); });
        EXPECT_TRUE(after_collections([] { return !destroyed.empty(); }));
        EXPECT_EQ(destroyed, (std::vector<int>{3, 2, 1}));
    });
}

TEST_P(GcSurface, PointersPastTheEndOfAnArrayInAnObjectKeepIt) {
    struct buffer {
        std::size_t used = 0;
        char text[56] = {};
    };
    run([] {
        gc::weak<buffer> first;
        gc::weak<std::array<int, 16>> second;
        const char* past = nullptr;
        const int* past_numbers = nullptr;
        elsewhere([&] {
            const auto b = gc::make<buffer>();
            const auto numbers = gc::make<std::array<int, 16>>();
            first = b;
            second = numbers;
            past = std::end(b->text);
            past_numbers = numbers->data() + 16;
        });
        gc::collect();
        gc::collect();
        EXPECT_FALSE(first.expired());
        EXPECT_FALSE(second.expired());
        EXPECT_EQ(past[-1], 0);
        EXPECT_EQ(past_numbers[-1], 0);
    });
}

// Pointers. ----------------------------------------------------------------------------------------------------------

struct base {
    virtual ~base() = default;
    int b = 1;
};
struct derived : base {
    int d = 2;
};

TEST_P(GcSurface, PointersAreThoseOfTheLanguage) {
    static_assert(sizeof(gc::ptr<tree>) == sizeof(void*));
    static_assert(sizeof(gc::ptr<tree[]>) == sizeof(void*));
    static_assert(std::is_trivially_destructible_v<gc::ptr<tree>>);
    static_assert(!std::is_convertible_v<tree*, gc::ptr<tree>>);
    static_assert(std::is_convertible_v<gc::ptr<derived>, gc::ptr<base>>);
    static_assert(!std::is_convertible_v<gc::ptr<base>, gc::ptr<derived>>);
    static_assert(std::is_convertible_v<gc::ptr<int>, gc::ptr<const int>>);
    static_assert(!std::is_convertible_v<gc::ptr<const int>, gc::ptr<int>>);
    static constinit gc::ptr<tree> in_static_memory;
    EXPECT_EQ(in_static_memory, nullptr);
    run([] {
        const auto d = gc::make<derived>();
        gc::ptr<base> b = d;
        EXPECT_EQ(b, d);
        EXPECT_EQ(b->b, 1);
        EXPECT_EQ(gc::dynamic_pointer_cast<derived>(b), d);
        EXPECT_EQ(gc::static_pointer_cast<derived>(b)->d, 2);
        EXPECT_EQ(gc::dynamic_pointer_cast<derived>(gc::make<base>()), nullptr);
        const gc::ptr<const derived> c = d;
        EXPECT_EQ(gc::const_pointer_cast<derived>(c), d);

        const gc::ptr<int> inside(d, &d->d);
        EXPECT_EQ(*inside, 2);
        gc::ptr<tree> t = gc::make<tree>();
        tree* const plain = t.get();
        t->left = plain;
        EXPECT_TRUE(t->left == plain);
        EXPECT_TRUE(t->left == t);
        EXPECT_TRUE(t != nullptr);
        EXPECT_TRUE(static_cast<bool>(t));
        gc::ptr<tree> moved = std::move(t);
        EXPECT_EQ(t, nullptr);
        EXPECT_EQ(moved.get(), plain);
        t = gc::ptr<tree>(plain);
        EXPECT_EQ(std::hash<gc::ptr<tree>>()(t), std::hash<gc::ptr<tree>>()(moved));
        gc::ptr<tree> other = gc::make<tree>();
        EXPECT_NE(other, t);
        EXPECT_EQ(other < t, other.get() < t.get());
        EXPECT_EQ((other <=> other), std::strong_ordering::equal);
        swap(other, t);
        EXPECT_EQ(other.get(), plain);
        other.reset();
        EXPECT_FALSE(other);
        other = {};
        t = nullptr;
        const gc::ptr<void> any = moved;
        EXPECT_EQ(gc::static_pointer_cast<tree>(any), moved);
        std::unordered_set<gc::weak<tree>> weak{gc::weak<tree>(moved)};
        EXPECT_TRUE(weak.contains(gc::weak<tree>(moved)));
    });
}

TEST_P(GcSurface, PlainPointersOnAStackKeepObjects) {
    run([] {
        tree* const t = make_tree(8).get();
        int* const inside = &make_tree(1)->key;
        for (int i = 0; i != 3; ++i) gc::collect();
        EXPECT_EQ(count(t), 511);
        EXPECT_EQ(*inside, 1);
    });
}

// A stack without locks (Treiber's): what is popped cannot be freed while somebody still looks at it, so nothing more
// is needed.
TEST_P(GcSurface, AtomicPointersMakeALockFreeStack) {
    struct node {
        gc::ptr<node> next;
        int value = 0;
    };
    struct stack {
        gc::atomic_ptr<node> top;
    };
    run([] {
        constexpr int each = 5000 / static_cast<int>(slowdown);
        const auto s = gc::make<stack>();
        std::atomic<long> sum{0};
        std::atomic<int> popped{0};
        scope all;
        for (int c = 0; c != 4; ++c) {
            all.go([s, c] {
                for (int i = 0; i != each; ++i) {
                    const auto n = gc::make<node>();
                    n->value = c * each + i;
                    gc::ptr<node> top = s->top.load(std::memory_order_relaxed);
                    do {
                        n->next = top;
                    } while (!s->top.compare_exchange_weak(top, n, std::memory_order_release,
                                                           std::memory_order_relaxed));
                    if (i % 64 == 0) yield();
                }
            });
            all.go([s, &sum, &popped] {
                while (popped.load() != 4 * each) {
                    if constexpr (thread_sanitizer) checkpoint();  // Its signals come late.
                    gc::ptr<node> top = s->top.load(std::memory_order_acquire);
                    if (top == nullptr) {
                        yield();
                        continue;
                    }
                    if (!s->top.compare_exchange_strong(top, top->next)) continue;
                    sum += top->value;
                    ++popped;
                }
            });
        }
        all.go([&popped] {
            while (popped.load() != 4 * each) {
                gc::collect();
                yield();
            }
        });
        all.join();
        EXPECT_EQ(sum.load(), 4L * each * (4L * each - 1) / 2);
        EXPECT_EQ(s->top.load(), nullptr);
        s->top = gc::make<node>();
        const gc::ptr<node> old = s->top.exchange(nullptr);
        EXPECT_NE(old, nullptr);
        gc::ptr<node> expected = old;
        EXPECT_FALSE(s->top.compare_exchange_strong(expected, old));
        EXPECT_EQ(expected, nullptr);
    });
}

// Roots. -------------------------------------------------------------------------------------------------------------

gc::root<tree> in_static_memory;

TEST_P(GcSurface, RootsKeepObjectsInMallocMemoryExceptionsAndFutures) {
    run([] {
        std::vector<gc::root<tree>> roots;
        for (int i = 0; i != 50; ++i) roots.emplace_back(make_tree(3));
        in_static_memory = make_tree(4);
        const auto on_heap = std::make_unique<gc::root<tree>>(make_tree(5));
        std::promise<gc::root<tree>> promise;
        promise.set_value(make_tree(6));
        gc::collect();
        try {
            throw gc::root<tree>(make_tree(7));
        } catch (const gc::root<tree>& caught) {
            gc::collect();
            EXPECT_EQ(count(caught.get()), 255);
        }
        for (const auto& r : roots) EXPECT_EQ(count(r.get()), 15);
        EXPECT_EQ(count(in_static_memory.get()), 31);
        EXPECT_EQ(count(on_heap->get()), 63);
        EXPECT_EQ(count(promise.get_future().get().get()), 127);
        const gc::ptr<tree> p = in_static_memory;
        in_static_memory = nullptr;
        EXPECT_EQ(p->key, 4);
    });
}

TEST_P(GcSurface, ObjectsOutliveTheRuntimeAsLongAsRootsHoldThem) {
    gc::root<tree> kept;
    run([&] { kept = make_tree(5); });
    EXPECT_EQ(count(kept.get()), 63);
    run([&] {
        gc::collect();
        kept->left = make_tree(5);
        gc::collect();
        EXPECT_EQ(count(kept.get()), 1 + 63 + 31);
    });
    EXPECT_EQ(count(kept.get()), 95);
    kept = nullptr;
    run([] { gc::collect(); });
}

// Weak pointers. -----------------------------------------------------------------------------------------------------

TEST_P(GcSurface, WeakPointersAreNullOnceTheObjectIsGone) {
    run([] {
        gc::weak<tree> w;
        gc::root<tree> kept;
        elsewhere([&] {
            kept = gc::make<tree>();
            w = kept;
        });
        gc::collect();
        elsewhere([&] { EXPECT_EQ(w.lock(), kept); });
        const std::size_t hash = std::hash<gc::weak<tree>>()(w);
        const gc::weak<tree> copy = w;
        kept = nullptr;
        EXPECT_TRUE(after_collections([&] { return w.expired(); }));
        EXPECT_EQ(w.lock(), nullptr);
        EXPECT_EQ(w, copy);
        EXPECT_EQ(std::hash<gc::weak<tree>>()(w), hash);
    });
}

// Coroutines that find objects by weak pointers, and lose them again, while collections decide which are dead: whatever
// lock() returns must be whole.
TEST_P(GcSurface, WeakPointersNeverGiveADeadObject) {
    struct box {
        explicit box(int n) : number(n), check(~n) {}
        int number;
        int check;
    };
    run([] {
        std::atomic<int> working{3};
        scope all;
        for (int c = 0; c != 3; ++c) {
            all.go([&working, c] {
                std::mt19937 random(static_cast<unsigned>(c));
                std::vector<gc::weak<box>> cache(64);
                gc::vector<gc::ptr<box>> strong(8);
                int found = 0;
                for (int i = 0; i != 4000; ++i) {
                    gc::weak<box>& w = cache[random() % cache.size()];
                    gc::ptr<box> b = w.lock();
                    if (b == nullptr) {
                        b = gc::make<box>(i);
                        w = b;
                    } else {
                        ++found;
                    }
                    ASSERT_EQ(b->number, ~b->check);
                    strong[random() % strong.size()] = b;
                    if (i % 8 == 0) yield();
                    ASSERT_EQ(b->number, ~b->check);
                }
                EXPECT_GT(found, 0);
                --working;
            });
        }
        all.go([&working] {
            while (working != 0) {
                gc::collect();
                yield();
            }
        });
        all.join();
    });
}

// Destructors. -------------------------------------------------------------------------------------------------------

TEST_P(GcSurface, CollectWaitsForDestructors) {
    static std::atomic<int> destroyed;
    destroyed = 0;
    struct noisy {
        ~noisy() {
            sleep_for(1ms);  // They may park.
            ++destroyed;
        }
    };
    run([] {
        elsewhere([&] {
            for (int i = 0; i != 10; ++i) static_cast<void>(gc::make<noisy>());
        });
        EXPECT_TRUE(after_collections([] { return destroyed == 10; }));
        EXPECT_EQ(gc::stats().destructors_pending, 0u);
        EXPECT_GE(gc::stats().destructors_run, 10u);
    });
}

TEST_P(GcSurface, DestructorsBeginOutsideAndMayUseWhatTheyPointTo) {
    static std::vector<std::string> log;
    log.clear();
    struct inner {
        ~inner() { log.push_back("inner"); }
        std::string text = "alive";
    };
    struct outer {
        ~outer() { log.push_back("outer: " + in->text); }
        gc::ptr<inner> in;
    };
    run([] {
        elsewhere([&] {
            const auto i = gc::make<inner>();
            const auto o = gc::make<outer>();
            o->in = i;
        });
        EXPECT_TRUE(after_collections([] { return log.size() == 2; }));
        EXPECT_EQ(log, (std::vector<std::string>{"outer: alive", "inner"}));
    });
}

TEST_P(GcSurface, DestructorsMaySendAllocateAndBeSlow) {
    static chan<int> out(16);
    static chan<void> gate;
    out = chan<int>(16);
    gate = chan<void>();
    struct waits {
        ~waits() { gate.recv(); }
    };
    struct sends {
        ~sends() {
            const auto t = make_tree(5);
            out.send(count(t.get()));
        }
    };
    run([] {
        elsewhere([&] { static_cast<void>(gc::make<waits>()); });
        spawn([] { gc::collect(); }).detach();
        sleep_for(20ms);
        // One that waits holds up no others.
        elsewhere([&] { static_cast<void>(gc::make<sends>()); });
        spawn([] {
            for (int i = 0; i != 5; ++i) {
                overwrite_stack();
                gc::collect();
            }
        }).detach();
        EXPECT_EQ(out.recv_for(20s), 63);
        gate.close();
    });
}

TEST_P(GcSurface, ObjectsAliveAtExitAreNotDestroyed) {
    static std::atomic<int> destroyed;
    destroyed = 0;
    struct noisy {
        ~noisy() { ++destroyed; }
    };
    static gc::root<noisy> kept;
    run([] { kept = gc::make<noisy>(); });
    EXPECT_EQ(destroyed, 0);
    kept = nullptr;
    run([] { EXPECT_TRUE(after_collections([] { return destroyed == 1; })); });
}

TEST_P(GcSurface, CleanupsRunOnceTheObjectIsGone) {
    static std::vector<int> log;
    log.clear();
    struct handle {
        explicit handle(int n) : number(n) {}
        int number;
    };
    run([] {
        gc::cleanup_handle cancelled;
        elsewhere([&] {
            const auto h = gc::make<handle>(7);
            const auto other = make_tree(3);
            gc::cleanup(h, [n = h->number, other] { log.push_back(n + count(other.get())); });
            cancelled = gc::cleanup(h, [] { log.push_back(-1); });
            EXPECT_THROW(gc::cleanup(h, [h] {}), std::invalid_argument);
            gc::collect();
            EXPECT_EQ(h->number, 7);
        });
        EXPECT_TRUE(cancelled.cancel());
        EXPECT_FALSE(cancelled.cancel());
        EXPECT_TRUE(after_collections([] { return !log.empty(); }));
        EXPECT_EQ(log, (std::vector<int>{22}));
    });
}

// Containers and functions. ------------------------------------------------------------------------------------------

struct graph {
    gc::vector<gc::ptr<graph>> out;
    gc::map<int, gc::ptr<graph>> by_number;
    gc::unordered_map<gc::string, gc::ptr<graph>> by_name;
    gc::list<gc::ptr<graph>> list;
    gc::deque<gc::ptr<graph>> queue;
    gc::set<gc::ptr<graph>> set;
    gc::string name;
    int id = 0;
};
static_assert(std::is_trivially_destructible_v<graph>);

TEST_P(GcSurface, ContainersInObjectsAndOnStacksKeepTheirElements) {
    run([] {
        const int percent = gc::set_percent(20);
        scope all;
        for (int c = 0; c != 3; ++c) {
            all.go([c] {
                std::mt19937 random(static_cast<unsigned>(c) + 1);
                const auto g = gc::make<graph>();
                gc::vector<gc::ptr<graph>> on_stack;
                std::map<int, int> expected;
                for (int i = 0; i != 3000; ++i) {
                    const auto n = gc::make<graph>();
                    n->id = i;
                    n->name = std::to_string(i);
                    const int key = static_cast<int>(random() % 200);
                    g->by_number[key] = n;
                    g->by_name[n->name] = n;
                    expected[key] = i;
                    if (random() % 3 == 0) {
                        const int gone = static_cast<int>(random() % 200);
                        g->by_number.erase(gone);
                        expected.erase(gone);
                    }
                    if (g->by_name.size() > 100) g->by_name.erase(g->by_name.begin());
                    g->list.push_front(n);
                    if (g->list.size() > 50) {
                        gc::list<gc::ptr<graph>> other;
                        other.splice(other.begin(), g->list, std::next(g->list.begin(), 10),
                                     std::next(g->list.begin(), 40));
                        g->list.swap(other);
                    }
                    g->queue.push_back(n);
                    if (g->queue.size() > 300) g->queue.pop_front();
                    g->set.insert(n);
                    if (g->set.size() > 100) g->set.erase(g->set.begin());
                    g->out.push_back(n);
                    on_stack.push_back(n);
                    if (g->out.size() > 500) {
                        g->out.erase(g->out.begin(), g->out.begin() + 400);
                        on_stack = std::move(g->out);
                        g->out = on_stack;
                    }
                    if (i % 500 == 0) gc::collect();
                }
                ASSERT_TRUE(std::equal(g->by_number.begin(), g->by_number.end(), expected.begin(),
                                       expected.end(), [](const auto& a, const auto& b) {
                                           return a.first == b.first && a.second->id == b.second;
                                       }));
                for (const auto& [name, n] : g->by_name) ASSERT_EQ(name, std::to_string(n->id));
                const auto whole = [](const gc::ptr<graph>& n) {
                    return n->name == std::to_string(n->id);
                };
                ASSERT_TRUE(std::all_of(g->list.begin(), g->list.end(), whole));
                ASSERT_TRUE(std::all_of(g->queue.begin(), g->queue.end(), whole));
                ASSERT_TRUE(std::all_of(g->set.begin(), g->set.end(), whole));
                ASSERT_TRUE(std::all_of(g->out.begin(), g->out.end(), whole));
                ASSERT_TRUE(std::all_of(on_stack.begin(), on_stack.end(), whole));
            });
        }
        all.join();
        gc::set_percent(percent);
    });
}

TEST_P(GcSurface, ContainersOfObjectsWithDestructorsDestroyThem) {
    static std::atomic<int> alive;
    alive = 0;
    struct counted {
        counted() { ++alive; }
        counted(const counted&) { ++alive; }
        ~counted() { --alive; }
    };
    struct holder {
        gc::vector<counted> v = gc::vector<counted>(10);
        gc::map<int, counted> m;
    };
    run([] {
        elsewhere([&] {
            const auto h = gc::make<holder>();
            h->m.try_emplace(1);
            EXPECT_EQ(alive, 11);
        });
        EXPECT_TRUE(after_collections([] { return alive == 0; }));
    });
}

TEST_P(GcSurface, FunctionsKeepWhatTheyCapture) {
    run([] {
        struct handlers {
            gc::vector<gc::function<int(int)>> all;
        };
        const auto h = gc::make<handlers>();
        for (int i = 0; i != 20; ++i) {
            h->all.emplace_back([t = make_tree(3), i](int n) { return count(t.get()) + i + n; });
        }
        for (int i = 0; i != 3; ++i) {
            static_cast<void>(make_tree(10));
            gc::collect();
        }
        for (int i = 0; i != 20; ++i) {
            EXPECT_EQ(h->all[static_cast<std::size_t>(i)](100), 115 + i);
        }
        // Copies share their closure.
        gc::function counter = [n = 0]() mutable { return ++n; };
        const auto copy = counter;
        EXPECT_EQ(counter(), 1);
        EXPECT_EQ(copy(), 2);
        static_assert(sizeof counter == sizeof(void*));
        gc::function<void()> empty;
        EXPECT_FALSE(empty);
        EXPECT_THROW(empty(), std::bad_function_call);
        empty = nullptr;
        EXPECT_EQ(empty, nullptr);
        gc::function<int(const tree&)> member = &tree::key;
        tree t;
        t.key = 4;
        EXPECT_EQ(member(t), 4);
        int (*const null)(int) = nullptr;
        EXPECT_FALSE((gc::function<int(int)>(null)));
        gc::function<std::unique_ptr<int>(std::unique_ptr<int>)> passes =
            [owned = std::make_unique<int>(1)](std::unique_ptr<int> p) {
                *p += *owned;
                return p;
            };
        EXPECT_EQ(*passes(std::make_unique<int>(2)), 3);
        swap(counter, counter);
    });
}

// Where, and when. ---------------------------------------------------------------------------------------------------

TEST_F(GcOutside, MakingObjectsNeedsACoroutineOrAnAttachedThread) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    EXPECT_THROW(static_cast<void>(gc::make<int>(1)), std::logic_error);
    EXPECT_THROW(gc::collect(), std::logic_error);
    EXPECT_THROW(const gc::attach refused, std::logic_error);
    run([] {
        std::thread outside([] {
            EXPECT_THROW(static_cast<void>(gc::make<int>(1)), std::logic_error);
            const gc::attach here;
            const gc::attach nested;
            auto t = make_tree(8);
            gc::collect();
            EXPECT_EQ(count(t.get()), 511);
        });
        blocking([&] { outside.join(); });
        const gc::attach on_a_coroutine;  // No effect.
        EXPECT_EQ(*gc::make<int>(3), 3);
        blocking([] { EXPECT_THROW(static_cast<void>(gc::make<int>(1)), std::logic_error); });
        EXPECT_EQ(*gc::make<int>(4), 4);
    });
}

TEST_P(GcSurface, AttachedThreadsShareTheHeapWithCoroutines) {
    if (thread_sanitizer) GTEST_SKIP() << "its signals come late";
    run([] {
        struct shared {
            gc::atomic_ptr<tree> latest;
        };
        const gc::root<shared> s(gc::make<shared>());
        std::atomic<bool> stop{false};
        std::thread outside([&] {
            const gc::attach here;
            const gc::ptr<shared> mine = s;
            while (!stop) {
                mine->latest = make_tree(4);
                const auto t = mine->latest.load();
                ASSERT_EQ(count(t.get()), 31);
            }
        });
        for (int i = 0; i != 30; ++i) {
            gc::collect();
            if (const auto t = s->latest.load()) {
                EXPECT_EQ(count(t.get()), 31);
            }
            s->latest = make_tree(4);
        }
        stop = true;
        blocking([&] { outside.join(); });
    });
}

TEST_P(GcSurface, SettingsReturnTheirOldValues) {
    run([] {
        const int percent = gc::set_percent(50);
        EXPECT_EQ(gc::set_percent(-1), 50);
        EXPECT_EQ(gc::set_percent(percent), -1);
        const std::size_t limit = gc::set_memory_limit(std::size_t{1} << 40);
        EXPECT_EQ(gc::set_memory_limit(limit), std::size_t{1} << 40);
    });
}

TEST_P(GcSurface, StatisticsCount) {
    run([] {
        const gc::statistics before = gc::stats();
        const auto kept = make_tree(14);
        gc::collect();
        const gc::statistics after = gc::stats();
        EXPECT_GT(after.cycles, before.cycles);
        EXPECT_GE(after.live_bytes, (std::uint64_t{1} << 15) * sizeof(tree) / 2);
        EXPECT_GE(after.heap_bytes, after.live_bytes / 2);
        EXPECT_GT(after.mapped_bytes, 0u);
        EXPECT_GT(after.rounds, before.rounds);
        EXPECT_GE(after.pauses.total, after.pauses.max);
        EXPECT_EQ(std::accumulate(after.pauses.histogram.begin(), after.pauses.histogram.end(),
                                  std::uint64_t{0}),
                  after.pauses.count);
        EXPECT_EQ(count(kept.get()), (1 << 15) - 1);
        gc::free_os_memory();
    });
}

TEST_F(GcOutside, ADestructorThatThrowsEndsInTheReport) {
    const child_result end = run_child([] {
        return weft::run([] {
            struct throws {
                ~throws() noexcept(false) { throw std::runtime_error("from a destructor"); }
            };
            elsewhere([&] { static_cast<void>(gc::make<throws>()); });
            for (int i = 0; i != 10; ++i) {
                overwrite_stack();
                gc::collect();
            }
        });
    });
    EXPECT_NE(end.signal, 0);
    EXPECT_FALSE(end.lines_with("from a destructor").empty()) << end.err;
}

}  // namespace
}  // namespace weft::test

// What objects of a collected heap own outside of it is not given back when the program ends, which LeakSanitizer would
// call a leak.
extern "C" int __lsan_is_turned_off();  // NOLINT: the name is LeakSanitizer's.
extern "C" int __lsan_is_turned_off() { return 1; }
