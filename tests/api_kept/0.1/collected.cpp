// A program of 0.1: the collected heap.

#include "check.hpp"

#include <weft/gc.hpp>
#include <weft/weft.hpp>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

namespace {

namespace gc = weft::gc;

struct tree {
    gc::ptr<tree> left;
    gc::ptr<tree> right;
    int key = 0;
};

gc::ptr<tree> grow(int depth) {
    auto t = gc::make<tree>();
    t->key = depth;
    if (depth != 0) {
        t->left = grow(depth - 1);
        t->right = grow(depth - 1);
    }
    return t;
}

int count(const tree* t) {
    return t == nullptr ? 0 : 1 + count(t->left.get()) + count(t->right.get());
}

gc::root<tree> global;

void pointers() {
    gc::ptr<tree> t = grow(6);
    gc::collect();
    CHECK(count(t.get()) == 127);
    gc::ptr<int> key(t, &t->key);
    t = nullptr;
    gc::collect();
    CHECK(*key == 6 && key != nullptr);

    auto numbers = gc::make_array<int>(100);
    CHECK(numbers.size() == 100 && numbers[99] == 0);
    int sum = 0;
    for (const int n : numbers) sum += n;
    CHECK(sum == 0);

    gc::atomic_ptr<tree> shared;
    shared.store(grow(1));
    gc::ptr<tree> expected = shared.load();
    CHECK(shared.compare_exchange_strong(expected, gc::make<tree>()));
    CHECK(shared.exchange(nullptr) != nullptr);
}

void roots_and_weak_pointers() {
    global = grow(2);
    const gc::weak<tree> w{gc::ptr<tree>(global)};
    gc::collect();
    CHECK(w.lock() == gc::ptr<tree>(global) && count(global.get()) == 7);
    global = nullptr;
}

void containers() {
    gc::vector<gc::ptr<tree>> trees;
    for (int i = 0; i != 10; ++i) trees.push_back(grow(1));
    gc::map<int, gc::ptr<tree>> by_key;
    for (int i = 0; i != 10; ++i) by_key[i] = trees[static_cast<std::size_t>(i)];
    gc::collect();
    int nodes = 0;
    for (const auto& [key, t] : by_key) nodes += count(t.get());
    CHECK(nodes == 30 && by_key.size() == 10);
    gc::function<int(int)> f = [t = trees[0]](int n) { return count(t.get()) + n; };
    CHECK(f(1) == 4);
}

struct base {
    virtual ~base() = default;
    int value = 1;
};
struct derived : base {};

struct with_fields {
    gc::ptr<tree> first;
    long number = 0;
    static constexpr auto gc_fields = gc::fields<&with_fields::first>;
};
static_assert(std::is_same_v<decltype(gc::fields<&with_fields::first>),
                             const gc::fields_t<&with_fields::first>>);

void casts_and_arrays() {
    const gc::ptr<base> b = gc::make<derived>();
    CHECK(gc::static_pointer_cast<derived>(b) == gc::dynamic_pointer_cast<derived>(b));
    const gc::ptr<const base> fixed = b;
    CHECK(gc::const_pointer_cast<base>(fixed) == b);
    CHECK(gc::reinterpret_pointer_cast<char>(b) != nullptr);
    static_assert(std::is_same_v<gc::ptr<base>::element_type, base>);
    CHECK(gc::make<with_fields>()->number == 0);

    gc::ptr<int[]> numbers = gc::make_array<int>(3);
    numbers.front() = 1;
    numbers.back() = 3;
    gc::ptr<int[]>::iterator first = numbers.begin();
    gc::ptr<int[]>::pointer data = numbers.data();
    gc::ptr<int[]>::value_type sum = 0;
    for (const int n : numbers.span()) sum += n;
    CHECK(sum == 4 && first == data);

    static_assert(std::is_same_v<gc::atomic_ptr<tree>::value_type, gc::ptr<tree>>);
    static_assert(gc::atomic_ptr<tree>::is_always_lock_free);
    gc::atomic_ptr<tree> shared;
    gc::ptr<tree> none;
    while (!shared.compare_exchange_weak(none, gc::make<tree>())) {}
    CHECK(shared.is_lock_free());
    static_assert(std::is_same_v<gc::root<tree>::element_type, tree>);
    static_assert(std::is_same_v<gc::weak<tree>::element_type, tree>);
    CHECK(gc::weak<tree>().expired());
}

template <class C>
void fill(C& c) {
    for (int i = 0; i != 4; ++i) c.insert(c.end(), i);
    CHECK(c.size() == 4);
}

void more_containers() {
    gc::deque<int> d;
    gc::list<int> l;
    gc::multiset<int> s;
    fill(d);
    fill(l);
    fill(s);
    gc::unordered_set<int> us{1, 2};
    gc::multimap<int, int> mm{{1, 1}, {1, 2}};
    gc::unordered_map<int, int> um{{1, 1}};
    const gc::basic_string<char> text("text");
    CHECK(us.size() == 2 && mm.size() == 2 && um.size() == 1 && text == "text");
    static_assert(std::is_same_v<gc::function<int()>::result_type, int>);

    using allocator = gc::allocator<int>;
    static_assert(allocator::is_always_equal::value);
    static_assert(allocator::propagate_on_container_move_assignment::value);
    static_assert(std::is_same_v<allocator::value_type, int>);
    static_assert(sizeof(allocator::size_type) == sizeof(allocator::difference_type));
    allocator a = gc::allocator<char>();
    a.deallocate(a.allocate(3), 3);
}

void ends() {
    std::atomic<int> gone{0};
    gc::cleanup_handle none;
    {
        const auto t = gc::make<tree>();
        none = gc::cleanup(t, [&gone] { ++gone; });
        const gc::cleanup_handle same(none);
        CHECK(none.cancel());
    }
    std::thread outside([] {
        const gc::attach here;
        CHECK(gc::make<tree>()->key == 0);
    });
    weft::blocking([&] { outside.join(); });
    CHECK(gone == 0);
}

void figures() {
    const gc::statistics s = gc::stats();
    const gc::pause_statistics p = s.pauses;
    static_assert(gc::pause_statistics::buckets == 40);
    CHECK(p.histogram.size() == gc::pause_statistics::buckets && p.total >= p.max && p.count >= 0);
    CHECK(s.mapped_bytes >= s.heap_bytes && s.goal_bytes >= s.live_bytes && s.rounds >= s.cycles);
    CHECK(s.destructors_run + s.destructors_pending + s.assist_ns + s.limited_ns +
              s.released_bytes >=
          0);
    CHECK(s.cpu_fraction >= 0);
}

void control() {
    const gc::statistics before = gc::stats();
    gc::collect();
    CHECK(gc::stats().cycles > before.cycles);
    const int percent = gc::set_percent(50);
    CHECK(gc::set_percent(percent) == 50);
    CHECK(gc::set_memory_limit(0) == 0);
    gc::free_os_memory();
    static_assert(gc::pointer_free<std::string> && !gc::pointer_free<tree>);
    weft::options opts;
    CHECK(opts.on_memory_limit == weft::memory_limit_action::exceed);
    opts.on_memory_limit = weft::memory_limit_action::throw_bad_alloc;
    CHECK(opts.gc_percent == 100);
}

}  // namespace

int main() {
    weft::run([] {
        pointers();
        roots_and_weak_pointers();
        containers();
        casts_and_arrays();
        more_containers();
        ends();
        control();
        figures();
    });
}
