// Elements of the containers of weft/gc.hpp: their life, their memory, and the interface of std.
#include "gc/model_heap.hpp"

#include <weft/detail/gc_containers.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace gc = weft::gc;
namespace model_heap = weft::test::model_heap;

namespace {

struct item {
    explicit item(int n) noexcept : number(n) {}
    const int number;
    static constexpr auto gc_fields = gc::fields<>;
};

/// An element: its object is checked by its number, which a freed one has not.
gc::ptr<item> make_item(int n) { return gc::make<item>(n); }

// A destructor that counts.
struct counted {
    static inline int alive = 0;
    int n = 0;
    counted() noexcept { ++alive; }
    explicit counted(int number) noexcept : n(number) { ++alive; }
    counted(const counted& other) : n(other.n) {
        if (throwing && --copies_left == 0) throw std::runtime_error("copy");
        ++alive;
    }
    counted(counted&& other) noexcept : n(std::exchange(other.n, -1)) { ++alive; }
    counted& operator=(const counted&) = default;
    counted& operator=(counted&& other) noexcept {
        n = std::exchange(other.n, -1);
        return *this;
    }
    ~counted() { --alive; }
    friend auto operator<=>(const counted& a, const counted& b) noexcept { return a.n <=> b.n; }
    friend bool operator==(const counted& a, const counted& b) noexcept { return a.n == b.n; }

    static inline bool throwing = false;
    static inline int copies_left = 0;
};

template <class Container>
struct holder {
    Container elements;
};

// Elements. ----------------------------------------------------------------------------------------------------------

class GcElements : public ::testing::Test {
protected:
    void SetUp() override {
        model_heap::reset(1);
        counted::alive = 0;
        counted::throwing = false;
    }
    void TearDown() override {
        counted::throwing = false;
        model_heap::reset(0);
    }
};

template <class Container>
void fill(Container& c, int n) {
    for (int i = 0; i != n; ++i) {
        if constexpr (requires { c.emplace_back(i); }) {
            c.emplace_back(i);
        } else if constexpr (requires { c[i]; }) {
            c.try_emplace(i, i);
        } else {
            c.emplace(i);
        }
    }
}

struct counted_hash {
    std::size_t operator()(const counted& c) const noexcept {
        return static_cast<std::size_t>(c.n);
    }
};

template <class Container>
void destroys_what_it_has() {
    {
        Container c;
        fill(c, 100);
        EXPECT_EQ(counted::alive, 100);
        Container copy(c);
        EXPECT_EQ(counted::alive, 200);
        Container moved(std::move(copy));
        EXPECT_EQ(counted::alive, 200);
        copy = moved;
        copy = std::move(moved);
        EXPECT_EQ(counted::alive, 200);
        c.erase(c.begin());
        c.erase(c.begin(), std::next(c.begin(), 9));
        EXPECT_EQ(counted::alive, 190);
        c.clear();
        EXPECT_EQ(counted::alive, 100);
        EXPECT_TRUE(c.empty());
        c.swap(copy);
    }
    EXPECT_EQ(counted::alive, 0);
    // In an object of the heap it makes the object one that has a destructor.
    const auto object = gc::make<holder<Container>>();
    fill(object->elements, 10);
    EXPECT_TRUE(model_heap::destroy(object.get()));
    EXPECT_EQ(counted::alive, 0);
    EXPECT_FALSE(model_heap::destroy(object.get()));
}

TEST_F(GcElements, OfAVectorAreDestroyed) { destroys_what_it_has<gc::vector<counted>>(); }
TEST_F(GcElements, OfADequeAreDestroyed) { destroys_what_it_has<gc::deque<counted>>(); }
TEST_F(GcElements, OfAListAreDestroyed) { destroys_what_it_has<gc::list<counted>>(); }
TEST_F(GcElements, OfASetAreDestroyed) { destroys_what_it_has<gc::set<counted>>(); }
TEST_F(GcElements, OfAMultisetAreDestroyed) { destroys_what_it_has<gc::multiset<counted>>(); }
TEST_F(GcElements, OfAMapAreDestroyed) { destroys_what_it_has<gc::map<int, counted>>(); }
TEST_F(GcElements, OfAHashMapAreDestroyed) {
    destroys_what_it_has<gc::unordered_map<int, counted>>();
}
TEST_F(GcElements, OfAHashSetAreDestroyed) {
    destroys_what_it_has<gc::unordered_set<counted, counted_hash>>();
}

// A copy that throws, at every place where there is one.
template <class Container>
void survives_throwing_copies() {
    for (int at = 1; at != 25; ++at) {
        {
            Container c;
            fill(c, 10);
            counted::throwing = true;
            counted::copies_left = at;
            try {
                Container copy(c);
                c = copy;
            } catch (const std::runtime_error&) {}
            counted::throwing = false;
            EXPECT_EQ(c.size(), 10u);
            EXPECT_EQ(static_cast<std::size_t>(std::distance(c.begin(), c.end())), c.size());
            EXPECT_EQ(counted::alive, 10);
        }
        EXPECT_EQ(counted::alive, 0);
    }
}
TEST_F(GcElements, WhoseCopyThrowsLeaveContainersWhole) {
    survives_throwing_copies<gc::vector<counted>>();
    survives_throwing_copies<gc::deque<counted>>();
    survives_throwing_copies<gc::list<counted>>();
    survives_throwing_copies<gc::set<counted>>();
    survives_throwing_copies<gc::map<int, counted>>();
    survives_throwing_copies<gc::unordered_map<int, counted>>();
}

template <class Container>
void survives_the_end_of_memory() {
    for (std::size_t at = 0; at != 40; ++at) {
        {
            Container c;
            fill(c, 3);
            model_heap::fail_after(at);
            try {
                for (int i = 3; i != 60; ++i) {
                    if constexpr (requires { c.emplace_back(i); }) {
                        c.emplace_back(i);
                    } else if constexpr (requires { c[i]; }) {
                        c.try_emplace(i, i);
                    } else {
                        c.emplace(i);
                    }
                }
            } catch (const std::bad_alloc&) {}
            model_heap::fail_after(SIZE_MAX);
            EXPECT_EQ(counted::alive, static_cast<int>(c.size()));
            EXPECT_EQ(static_cast<std::size_t>(std::distance(c.begin(), c.end())), c.size());
            fill(c, 0);
        }
        EXPECT_EQ(counted::alive, 0);
    }
}
TEST_F(GcElements, AreAsBeforeWhenMemoryEnds) {
    survives_the_end_of_memory<gc::vector<counted>>();
    survives_the_end_of_memory<gc::deque<counted>>();
    survives_the_end_of_memory<gc::list<counted>>();
    survives_the_end_of_memory<gc::set<counted>>();
    survives_the_end_of_memory<gc::map<int, counted>>();
    survives_the_end_of_memory<gc::unordered_map<int, counted>>();
}

// Memory that an erased element was in does not keep what that pointed to.
template <class Container>
void forgets_what_it_had() {
    const auto object = gc::make<holder<Container>>();
    Container& c = object->elements;
    for (int i = 0; i != 50; ++i) {
        if constexpr (requires { c.emplace_back(make_item(i)); }) {
            c.emplace_back(make_item(i));
        } else if constexpr (requires { c[i]; }) {
            c[i] = make_item(i);
        } else {
            c.insert(make_item(i));
        }
    }
    while (c.size() > 2) c.erase(c.begin());
    model_heap::begin_marking({object.get()});
    EXPECT_EQ(model_heap::end_marking(), 0u);
    EXPECT_LE(model_heap::objects(),
              12u);  // Two items, their nodes or blocks, buckets, the object.
    c.clear();
    model_heap::begin_marking({object.get()});
    EXPECT_EQ(model_heap::end_marking(), 0u);
    EXPECT_LE(model_heap::objects(), 6u);
}
TEST_F(GcElements, ThatWereErasedAreNotKept) {
    forgets_what_it_had<gc::vector<gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::deque<gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::list<gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::set<gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::map<int, gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::unordered_map<int, gc::ptr<item>>>();
    model_heap::reset(1);
    forgets_what_it_had<gc::unordered_set<gc::ptr<item>>>();
}

// A node that somebody still points to keeps nothing but itself.
TEST_F(GcElements, OfAnErasedNodeDoNotKeepTheOthers) {
    const auto object = gc::make<holder<gc::list<gc::ptr<item>>>>();
    for (int i = 0; i != 10; ++i) object->elements.push_back(make_item(i));
    const gc::ptr<item>* const element = &object->elements.front();
    object->elements.clear();
    EXPECT_EQ(model_heap::reachable({element}), 1u);
}

// Plain pointers that are set once have no barrier of their own.
struct fixed_pointer {
    explicit fixed_pointer(item* i) noexcept : to(i) {}
    item* to;
};
TEST_F(GcElements, WithPlainPointersAreReportedByTheContainer) {
    const auto object = gc::make<holder<gc::vector<fixed_pointer>>>();
    object->elements.reserve(4);
    item* const old = make_item(1).get();
    model_heap::begin_marking({object.get()});
    while (model_heap::step(10)) {}
    object->elements.emplace_back(old);               // Into a buffer that has been scanned.
    const auto other = gc::make<fixed_pointer>(old);  // Black.
    object->elements.insert(object->elements.begin(), fixed_pointer(make_item(2).get()));
    EXPECT_EQ(model_heap::end_marking(), 0u);
    EXPECT_EQ(object->elements[1].to->number, 1);
    EXPECT_EQ(other->to->number, 1);
}

// Kinds. -------------------------------------------------------------------------------------------------------------

TEST(GcKinds, ContainersOfTrivialElementsAreTriviallyDestructible) {
    static_assert(std::is_trivially_destructible_v<gc::vector<gc::ptr<item>>>);
    static_assert(std::is_trivially_destructible_v<gc::deque<int>>);
    static_assert(std::is_trivially_destructible_v<gc::list<gc::ptr<item>>>);
    static_assert(std::is_trivially_destructible_v<gc::map<int, gc::ptr<item>>>);
    static_assert(std::is_trivially_destructible_v<gc::unordered_map<gc::string, gc::ptr<item>>>);
    static_assert(std::is_trivially_destructible_v<gc::string>);
    static_assert(!std::is_trivially_destructible_v<gc::vector<std::string>>);
    static_assert(!std::is_trivially_destructible_v<gc::map<std::string, int>>);
    static_assert(!std::is_trivially_destructible_v<gc::unordered_set<std::string>>);
}

struct json {
    int number = 0;
    gc::vector<json> items;
    gc::list<json> more;
    gc::deque<json> others;
    gc::map<std::string, json> members;
    gc::unordered_map<std::string, json> table;
};
TEST(GcKinds, ContainersOfIncompleteTypesWork) {
    model_heap::reset(1);
    json j;
    j.items.resize(3);
    j.items[1].members["a"].number = 7;
    j.others.emplace_back().table["x"].number = 8;
    j.more.emplace_front().number = 9;
    const json copy = j;
    EXPECT_EQ(copy.items[1].members.at("a").number, 7);
    EXPECT_EQ(copy.others.front().table.at("x").number, 8);
    EXPECT_EQ(copy.more.back().number, 9);
}

TEST(GcKinds, TheLongSpellingIsTheSameType) {
    static_assert(std::is_same_v<gc::vector<int>, std::vector<int, gc::allocator<int>>>);
    static_assert(
        std::is_same_v<gc::map<int, long>, std::map<int, long, std::less<int>,
                                                    gc::allocator<std::pair<const int, long>>>>);
    static_assert(
        std::is_same_v<gc::string,
                       std::basic_string<char, std::char_traits<char>, gc::allocator<char>>>);
}

struct alignas(64) wide {
    int n = 0;
};
TEST(GcKinds, OverAlignedElementsAreAligned) {
    model_heap::reset(1);
    gc::vector<wide> v(5);
    gc::list<wide> l(5);
    gc::map<int, wide> m;
    gc::deque<wide> d(5);
    m[1].n = 1;
    const auto aligned = [](const wide& w) {
        return reinterpret_cast<std::uintptr_t>(&w) % 64 == 0;
    };
    EXPECT_TRUE(std::all_of(v.begin(), v.end(), aligned));
    EXPECT_TRUE(std::all_of(l.begin(), l.end(), aligned));
    EXPECT_TRUE(std::all_of(d.begin(), d.end(), aligned));
    EXPECT_TRUE(aligned(m[1]));
}

// The interface of std. ----------------------------------------------------------------------------------------------

class GcInterface : public ::testing::Test {
protected:
    void SetUp() override { model_heap::reset(1); }
};

TEST_F(GcInterface, OfVector) {
    gc::vector<int> v{1, 2, 3};
    EXPECT_EQ(v.at(2), 3);
    EXPECT_THROW(static_cast<void>(v.at(3)), std::out_of_range);
    EXPECT_THROW(v.reserve(SIZE_MAX), std::length_error);
    v.insert(v.begin() + 1, {7, 8});
    EXPECT_EQ(v, (gc::vector<int>{1, 7, 8, 2, 3}));
    v.insert(v.end(), v[0]);
    v.emplace(v.begin(), v.back());
    v.push_back(v.front());
    EXPECT_EQ(v, (gc::vector<int>{1, 1, 7, 8, 2, 3, 1, 1}));
    EXPECT_EQ(std::erase(v, 1), 4u);
    EXPECT_EQ(std::erase_if(v, [](int i) { return i > 7; }), 1u);
    v.assign(2, v.back());
    EXPECT_EQ(v, (gc::vector<int>{3, 3}));
    v.resize(4);
    EXPECT_EQ(v, (gc::vector<int>{3, 3, 0, 0}));
    v.resize(1);
    v.resize(3, 9);
    EXPECT_EQ(v, (gc::vector<int>{3, 9, 9}));
    EXPECT_GT(v, (gc::vector<int>{3, 8, 100}));
    std::istringstream numbers("4 5 6");
    v.assign(std::istream_iterator<int>(numbers), std::istream_iterator<int>());
    EXPECT_EQ(v, (gc::vector<int>{4, 5, 6}));
    v = {};
    EXPECT_TRUE(v.empty());
    EXPECT_EQ(v.begin(), v.end());
    gc::vector<bool> bits(3, true);
    bits[1] = false;
    EXPECT_EQ(std::count(bits.begin(), bits.end(), true), 2);
    const gc::vector<int> from_range(std::begin({1, 2}), std::end({1, 2}));
    const std::span<const int> s(from_range);
    EXPECT_EQ(s.size(), from_range.size());
    gc::vector<std::unique_ptr<int>> owners;
    for (int i = 0; i != 20; ++i) owners.insert(owners.begin(), std::make_unique<int>(i));
    EXPECT_EQ(*owners[3], 16);
    gc::vector<std::string> texts(3, "x");
    texts.insert(texts.begin(), 2, texts[0]);
    texts.insert(texts.begin() + 1, texts.back());
    EXPECT_EQ(texts.size(), 6u);
}

TEST_F(GcInterface, OfDeque) {
    gc::deque<int> d;
    std::deque<int> s;
    EXPECT_EQ(d.begin(), d.end());
    for (int i = 0; i != 1000; ++i) {
        d.push_front(i);
        s.push_front(i);
    }
    int& kept = d.front();
    for (int i = 0; i != 1000; ++i) d.push_back(i);
    for (int i = 0; i != 1000; ++i) s.push_back(i);
    EXPECT_EQ(&kept, &d[0]);  // References stay.
    EXPECT_TRUE(std::equal(d.begin(), d.end(), s.begin(), s.end()));
    EXPECT_EQ(d.end() - d.begin(), 2000);
    for (std::ptrdiff_t i = 0; i < 2000; i += 37) {
        EXPECT_EQ(*(d.begin() + i), *(s.begin() + i));
        EXPECT_EQ(*(d.end() - (i + 1)), *(s.end() - (i + 1)));
        EXPECT_EQ(d.begin()[i], s[static_cast<std::size_t>(i)]);
        EXPECT_EQ((d.begin() + i) - d.begin(), i);
    }
    EXPECT_LT(d.begin(), d.end());
    std::sort(d.begin(), d.end());
    std::sort(s.begin(), s.end());
    EXPECT_TRUE(std::equal(d.begin(), d.end(), s.begin(), s.end()));
    EXPECT_EQ(std::erase(d, 5), 2u);
    EXPECT_THROW(static_cast<void>(d.at(1998)), std::out_of_range);
    while (!d.empty()) d.pop_front();
    d.shrink_to_fit();
    d = {1, 2, 3};
    d.resize(5);
    EXPECT_EQ(d, (gc::deque<int>{1, 2, 3, 0, 0}));
}

TEST_F(GcInterface, OfList) {
    gc::list<int> l{5, 1, 4, 1, 3};
    const auto three = std::prev(l.end());
    l.sort();
    EXPECT_EQ(l, (gc::list<int>{1, 1, 3, 4, 5}));
    EXPECT_EQ(*three, 3);
    EXPECT_EQ(l.unique(), 1u);
    EXPECT_EQ(l.remove(l.front()), 1u);
    gc::list<int> other{9};
    const auto end = other.end();
    l.splice(three, other);
    EXPECT_EQ(l, (gc::list<int>{9, 3, 4, 5}));
    EXPECT_EQ(other.end(), end);
    other.splice(other.end(), l, three);
    EXPECT_EQ(*std::prev(other.end()), 3);
    EXPECT_EQ(std::next(three), other.end());
    other.resize(3);
    other.resize(1);
    other.insert(other.begin(), 2, 8);
    EXPECT_EQ(other, (gc::list<int>{8, 8, 3}));
    EXPECT_EQ(std::erase_if(other, [](int i) { return i == 8; }), 2u);
    gc::list<int> moved(std::move(other));
    EXPECT_EQ(moved.front(), 3);
    EXPECT_TRUE(other.empty());
    other.push_back(1);
    std::swap(other, moved);
    EXPECT_EQ(other.back(), 3);
}

TEST_F(GcInterface, OfMapsAndSets) {
    gc::map<std::string, int, std::less<>> m{{"b", 2}, {"a", 1}};
    EXPECT_EQ(m.find(std::string_view("a"))->second, 1);
    EXPECT_TRUE(m.contains("b"));
    EXPECT_FALSE(m.insert({"a", 5}).second);
    EXPECT_TRUE(m.try_emplace("c", 3).second);
    EXPECT_THROW(static_cast<void>(m.at("z")), std::out_of_range);
    EXPECT_EQ(m.begin()->first, "a");
    EXPECT_EQ(m.rbegin()->first, "c");
    EXPECT_EQ(m.lower_bound("b")->second, 2);
    EXPECT_EQ(m.upper_bound("b")->second, 3);
    EXPECT_EQ(m.upper_bound("c"), m.end());
    EXPECT_EQ(std::prev(m.end())->second, 3);
    const auto copy = m;
    EXPECT_EQ(copy, m);
    m["d"];
    EXPECT_LT(copy, m);
    auto handle = m.extract("d");
    handle.mapped() = 4;
    const auto done = m.insert(std::move(handle));
    EXPECT_TRUE(done.inserted);
    EXPECT_EQ(done.position->second, 4);
    m = {{"x", 1}};
    EXPECT_EQ(m.size(), 1u);
    EXPECT_EQ(m.erase("x"), 1u);
    EXPECT_EQ(m.begin(), m.end());
    gc::map<std::string, int, std::less<>> moved(std::move(m));
    EXPECT_TRUE(moved.empty());

    gc::multimap<int, int> pairs;
    for (int i = 0; i != 30; ++i) pairs.emplace(i % 3, i);
    int last = -1;
    for (auto [at, end] = pairs.equal_range(1); at != end; ++at) {
        EXPECT_LT(last, at->second);  // In the order of their coming.
        last = at->second;
    }
    EXPECT_EQ(pairs.count(1), 10u);
    EXPECT_EQ(pairs.erase(1), 10u);
    EXPECT_EQ(pairs.size(), 20u);

    gc::set<int> s{3, 1, 2, 3};
    EXPECT_EQ(s.size(), 3u);
    const auto two = s.find(2);
    EXPECT_EQ(*std::next(two), 3);
    s.erase(two);
    EXPECT_EQ(std::vector<int>(s.begin(), s.end()), (std::vector<int>{1, 3}));
}

TEST_F(GcInterface, OfHashTables) {
    gc::unordered_map<std::string, int> m{{"a", 1}, {"b", 2}};
    EXPECT_EQ(m.at("a"), 1);
    EXPECT_FALSE(m.emplace("a", 7).second);
    for (int i = 0; i != 1000; ++i) m[std::to_string(i)] = i;
    EXPECT_EQ(m.size(), 1002u);
    EXPECT_LE(m.load_factor(), m.max_load_factor());
    for (int i = 0; i != 1000; ++i) ASSERT_EQ(m.at(std::to_string(i)), i);
    auto copy = m;
    EXPECT_EQ(copy, m);
    copy["a"] = 5;
    EXPECT_NE(copy, m);
    std::erase_if(m, [](const auto& e) { return e.second % 2 == 0; });
    EXPECT_EQ(m.size(), 501u);
    m.rehash(5000);
    EXPECT_GE(m.bucket_count(), 5000u);
    EXPECT_EQ(m.count("1"), 1u);
    EXPECT_EQ(m.count("2"), 0u);
    m.swap(copy);
    EXPECT_EQ(m.size(), 1002u);
    EXPECT_EQ(copy.count("1"), 1u);
    m.clear();
    EXPECT_TRUE(m.empty());
    EXPECT_EQ(m.find("1"), m.end());
    m = {{"q", 1}};
    gc::unordered_set<gc::ptr<item>> objects;
    const auto one = make_item(1);
    objects.insert(one);
    objects.insert(one);
    EXPECT_EQ(objects.size(), 1u);
    EXPECT_TRUE(objects.contains(one));
}

TEST_F(GcInterface, OfString) {
    gc::string s = "weft";
    EXPECT_EQ(s, "weft");
    s += " and";
    s += ' ';
    s.append("warp");
    EXPECT_EQ(s, "weft and warp");
    EXPECT_EQ(s.size(), 13u);
    EXPECT_STREQ(s.c_str(), "weft and warp");
    EXPECT_EQ(s.find("and"), 5u);
    EXPECT_EQ(s.rfind('w'), 9u);
    EXPECT_EQ(s.substr(5, 3), "and");
    EXPECT_TRUE(s.starts_with("weft"));
    EXPECT_TRUE(s.ends_with('p'));
    s.replace(5, 3, s);  // A part of itself.
    EXPECT_EQ(s, "weft weft and warp warp");
    s.insert(0, s.data() + 5, 5);
    EXPECT_EQ(s, "weft weft weft and warp warp");
    s.erase(0, 10);
    EXPECT_EQ(s, "weft and warp warp");
    s.erase(4);
    EXPECT_EQ(s, "weft");
    EXPECT_EQ(s + "x" + s, "weftxweft");
    EXPECT_LT(s, gc::string("wefu"));
    EXPECT_THROW(static_cast<void>(s.at(4)), std::out_of_range);
    EXPECT_THROW(s.insert(5, "x"), std::out_of_range);
    std::ostringstream out;
    out << s;
    EXPECT_EQ(out.str(), "weft");
    std::istringstream in("two words\nline");
    in >> s;
    EXPECT_EQ(s, "two");
    std::getline(in, s);
    EXPECT_EQ(s, " words");
    const std::string text(s);
    EXPECT_EQ(gc::string(text), s);
    EXPECT_EQ(std::hash<gc::string>()(s), std::hash<std::string_view>()(text));
    gc::string empty;
    EXPECT_STREQ(empty.c_str(), "");
    EXPECT_EQ(empty.begin(), empty.end());
    empty.resize(3, 'z');
    empty.push_back('!');
    EXPECT_EQ(empty, "zzz!");
    empty.resize(1);
    empty.shrink_to_fit();
    EXPECT_EQ(empty, "z");
    gc::string moved = std::move(empty);
    EXPECT_EQ(moved, "z");
    EXPECT_TRUE(empty.empty());
    for (int i = 0; i != 1000; ++i) moved.push_back(static_cast<char>('a' + i % 26));
    EXPECT_EQ(moved.size(), 1001u);
    EXPECT_EQ(moved[1000], 'a' + 999 % 26);
    moved.assign(moved, 1, 3);
    EXPECT_EQ(moved, "abc");
    gc::unordered_map<gc::string, int> table;
    table[moved] = 3;
    EXPECT_EQ(table.at(gc::string("abc")), 3);
}

}  // namespace
