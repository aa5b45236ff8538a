// The containers of weft/gc.hpp in the model heap, beside those of std, while the marker comes by.
#include "gc/model_heap.hpp"

#include <weft/detail/gc_containers.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <unordered_map>
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

class GcContainers : public ::testing::TestWithParam<int> {
protected:
    void SetUp() override { model_heap::reset(static_cast<std::uint64_t>(GetParam()) + 1); }
    void TearDown() override { model_heap::reset(0); }
};

std::size_t pick(std::size_t n) { return model_heap::random(n); }

// While marking. -----------------------------------------------------------------------------------------------------
//
// Two containers lie in objects of the heap, the same random operations go to them and to two of std, whose elements
// are numbers. Cycles begin and end in between.

template <class Container>
struct holder {
    Container elements;
};

template <class Programme>
std::size_t run_beside_the_marker(int rounds, bool with_barrier) {
    using gc_container = typename Programme::collected;
    const auto a = gc::make<holder<gc_container>>();
    const auto b = gc::make<holder<gc_container>>();
    typename Programme::standard standard_a;
    typename Programme::standard standard_b;
    std::size_t lost = 0;
    for (int i = 0; i != rounds; ++i) {
        if (!model_heap::marking() && pick(20) == 0) {
            model_heap::begin_marking({a.get(), b.get()});
            model_heap::ignore_stores(!with_barrier);
        }
        if (pick(2) == 0) {
            Programme::step(a->elements, b->elements, standard_a, standard_b);
        } else {
            Programme::step(b->elements, a->elements, standard_b, standard_a);
        }
        if (model_heap::marking() && pick(30) == 0) lost += model_heap::end_marking();
        if (lost != 0 && !with_barrier) return lost;
        EXPECT_EQ(lost, 0u) << "after " << i << " operations";
        if (lost != 0) return lost;
        if (!Programme::same(a->elements, standard_a) ||
            !Programme::same(b->elements, standard_b)) {
            ADD_FAILURE() << "different after " << i << " operations";
            return lost;
        }
    }
    return lost;
}

template <class Collected, class Standard>
bool same_numbers(const Collected& a, const Standard& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const gc::ptr<item>& p, int n) { return p->number == n; });
}

int new_number() {
    static int last = 0;
    return ++last;
}

struct vector_programme {
    using collected = gc::vector<gc::ptr<item>>;
    using standard = std::vector<int>;

    static void step(collected& a, collected& b, standard& sa, standard& sb) {
        const auto at = static_cast<std::ptrdiff_t>(pick(sa.size() + 1));
        const int n = new_number();
        switch (pick(13)) {
        case 0:
            a.insert(a.begin() + at, make_item(n));
            sa.insert(sa.begin() + at, n);
            break;
        case 1:
            if (at == std::ssize(sa)) break;
            a.erase(a.begin() + at);
            sa.erase(sa.begin() + at);
            break;
        case 2:
            a.insert(a.begin() + at, b.begin(), b.end());
            sa.insert(sa.begin() + at, sb.begin(), sb.end());
            break;
        case 3:
            a.erase(a.begin() + at / 2, a.begin() + at);
            sa.erase(sa.begin() + at / 2, sa.begin() + at);
            break;
        case 4:
            a.swap(b);
            sa.swap(sb);
            break;
        case 5:
            a = b;
            sa = sb;
            break;
        case 6:
            a = std::move(b);
            sa = std::move(sb);
            b.clear();
            sb.clear();
            break;
        case 7:
            a.insert(a.begin() + at, 3, make_item(n));
            sa.insert(sa.begin() + at, 3, n);
            break;
        case 8:
            if (sa.empty()) break;
            std::rotate(a.begin(), a.begin() + at, a.end());
            std::rotate(sa.begin(), sa.begin() + at, sa.end());
            break;
        case 9:
            a.shrink_to_fit();
            if (sa.size() > 60) {
                a.resize(5);
                sa.resize(5);
            }
            break;
        default:
            a.push_back(make_item(n));
            sa.push_back(n);
        }
    }
    static bool same(const collected& a, const standard& b) { return same_numbers(a, b); }
};

struct deque_programme {
    using collected = gc::deque<gc::ptr<item>>;
    using standard = std::deque<int>;

    static void step(collected& a, collected& b, standard& sa, standard& sb) {
        const auto at = static_cast<std::ptrdiff_t>(pick(sa.size() + 1));
        const int n = new_number();
        switch (pick(15)) {
        case 0:
            a.insert(a.begin() + at, make_item(n));
            sa.insert(sa.begin() + at, n);
            break;
        case 1:
            if (at == std::ssize(sa)) break;
            a.erase(a.begin() + at);
            sa.erase(sa.begin() + at);
            break;
        case 2:
            a.insert(a.begin() + at, b.begin(), b.end());
            sa.insert(sa.begin() + at, sb.begin(), sb.end());
            break;
        case 3:
            a.erase(a.begin() + at / 2, a.begin() + at);
            sa.erase(sa.begin() + at / 2, sa.begin() + at);
            break;
        case 4:
            a.swap(b);
            sa.swap(sb);
            break;
        case 5:
            a = b;
            sa = sb;
            break;
        case 6:
            a = std::move(b);
            sa = std::move(sb);
            b.clear();
            sb.clear();
            break;
        case 7:
        case 8:
            if (sa.empty()) break;
            a.pop_front();
            sa.pop_front();
            break;
        case 9:
            if (sa.empty()) break;
            a.pop_back();
            sa.pop_back();
            break;
        case 10:
            if (sa.size() < 300) break;
            a.resize(5);
            sa.resize(5);
            a.shrink_to_fit();
            break;
        case 11:
        case 12:
            for (std::size_t i = pick(70); i != 0; --i) {
                a.push_front(make_item(n));
                sa.push_front(n);
            }
            break;
        default:
            for (std::size_t i = pick(70); i != 0; --i) {
                a.push_back(make_item(n));
                sa.push_back(n);
            }
        }
    }
    static bool same(const collected& a, const standard& b) {
        return same_numbers(a, b) &&
               std::equal(a.rbegin(), a.rend(), b.rbegin(), b.rend(),
                          [](const auto& p, int n) { return p->number == n; });
    }
};

struct list_programme {
    using collected = gc::list<gc::ptr<item>>;
    using standard = std::list<int>;

    template <class List>
    static auto nth(List& list, std::size_t n) {
        return std::next(list.begin(), static_cast<std::ptrdiff_t>(n));
    }
    static void step(collected& a, collected& b, standard& sa, standard& sb) {
        const std::size_t at = pick(sa.size() + 1);
        const std::size_t in_b = pick(sb.size() + 1);
        const std::size_t from_b = pick(in_b + 1);
        const int n = new_number();
        const auto less = [](const gc::ptr<item>& x, const gc::ptr<item>& y) {
            return x->number < y->number;
        };
        switch (pick(15)) {
        case 0:
            a.insert(nth(a, at), make_item(n));
            sa.insert(nth(sa, at), n);
            break;
        case 1:
            if (at == sa.size()) break;
            a.erase(nth(a, at));
            sa.erase(nth(sa, at));
            break;
        case 2:
            a.splice(nth(a, at), b);
            sa.splice(nth(sa, at), sb);
            break;
        case 3:
            if (in_b == sb.size()) break;
            a.splice(nth(a, at), b, nth(b, in_b));
            sa.splice(nth(sa, at), sb, nth(sb, in_b));
            break;
        case 4:
            a.splice(nth(a, at), b, nth(b, from_b), nth(b, in_b));
            sa.splice(nth(sa, at), sb, nth(sb, from_b), nth(sb, in_b));
            break;
        case 5:
            a.swap(b);
            sa.swap(sb);
            break;
        case 6:
            a.sort(less);
            sa.sort();
            break;
        case 7:
            a.sort(less);
            b.sort(less);
            sa.sort();
            sb.sort();
            a.merge(b, less);
            sa.merge(sb);
            break;
        case 8:
            a.reverse();
            sa.reverse();
            break;
        case 9:
            a = b;
            sa = sb;
            break;
        case 10:
            a = std::move(b);
            sa = std::move(sb);
            b.clear();
            sb.clear();
            break;
        case 11:
            a.remove_if([](const gc::ptr<item>& p) { return p->number % 3 == 0; });
            sa.remove_if([](int number) { return number % 3 == 0; });
            break;
        default:
            a.push_back(make_item(n));
            sa.push_back(n);
            b.push_front(make_item(-n));
            sb.push_front(-n);
        }
    }
    static bool same(const collected& a, const standard& b) {
        return same_numbers(a, b) &&
               std::equal(a.rbegin(), a.rend(), b.rbegin(), b.rend(),
                          [](const auto& p, int n) { return p->number == n; });
    }
};

// Keys are numbers; values are items with the number of the key and something.
template <class Collected, class Standard, bool Ordered>
struct map_programme {
    using collected = Collected;
    using standard = Standard;

    static void step(collected& a, collected& b, standard& sa, standard& sb) {
        const int key = static_cast<int>(pick(60));
        const int n = new_number();
        switch (pick(16)) {
        case 0:
        case 1:
        case 2:
            a.erase(key);
            sa.erase(key);
            break;
        case 3:
            if (auto handle = a.extract(key)) {
                handle.key() = key + 100;
                b.insert(std::move(handle));
                auto other = sa.extract(key);
                other.key() = key + 100;
                sb.insert(std::move(other));
            }
            break;
        case 4:
            a.merge(b);
            sa.merge(sb);
            break;
        case 5:
            a.swap(b);
            sa.swap(sb);
            break;
        case 6:
            a = b;
            sa = sb;
            break;
        case 7:
            a = std::move(b);
            sa = std::move(sb);
            b.clear();
            sb.clear();
            break;
        case 8:
            std::erase_if(a, [](const auto& e) { return e.first % 7 == 0; });
            std::erase_if(sa, [](const auto& e) { return e.first % 7 == 0; });
            break;
        case 9:
            a.insert_or_assign(key, make_item(n));
            sa.insert_or_assign(key, n);
            break;
        case 10:
            if constexpr (Ordered) {
                a.emplace_hint(a.lower_bound(key), key, make_item(n));
                sa.emplace_hint(sa.lower_bound(key), key, n);
                a.erase(a.lower_bound(key - 3), a.lower_bound(key - 1));
                sa.erase(sa.lower_bound(key - 3), sa.lower_bound(key - 1));
            } else {
                a.rehash(pick(100));
            }
            break;
        default:
            a[key] = make_item(n);
            sa[key] = n;
        }
    }
    static bool same(const collected& a, const standard& b) {
        if (a.size() != b.size()) return false;
        if constexpr (Ordered) {
            return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                              [](const auto& x, const auto& y) {
                                  return x.first == y.first && x.second->number == y.second;
                              }) &&
                   std::equal(a.rbegin(), a.rend(), b.rbegin(), b.rend(),
                              [](const auto& x, const auto& y) { return x.first == y.first; });
        } else {
            if (static_cast<std::size_t>(std::distance(a.begin(), a.end())) != b.size())
                return false;
            return std::all_of(b.begin(), b.end(), [&a](const auto& y) {
                const auto found = a.find(y.first);
                return found != a.end() && found->second->number == y.second;
            });
        }
    }
};
using tree_programme = map_programme<gc::map<int, gc::ptr<item>>, std::map<int, int>, true>;
using table_programme =
    map_programme<gc::unordered_map<int, gc::ptr<item>>, std::unordered_map<int, int>, false>;

TEST_P(GcContainers, AVectorLosesNothingWhileTheMarkerComesBy) {
    run_beside_the_marker<vector_programme>(3000, true);
}
TEST_P(GcContainers, ADequeLosesNothingWhileTheMarkerComesBy) {
    run_beside_the_marker<deque_programme>(1000, true);
}
TEST_P(GcContainers, AListLosesNothingWhileTheMarkerComesBy) {
    run_beside_the_marker<list_programme>(2000, true);
}
TEST_P(GcContainers, AMapLosesNothingWhileTheMarkerComesBy) {
    run_beside_the_marker<tree_programme>(3000, true);
}
TEST_P(GcContainers, AHashTableLosesNothingWhileTheMarkerComesBy) {
    run_beside_the_marker<table_programme>(3000, true);
}

// The control: a test that cannot fail proves nothing. Without reports of stores each of them loses elements.
TEST_P(GcContainers, WithoutTheBarrierAllOfThemLoseElements) {
    EXPECT_NE(run_beside_the_marker<vector_programme>(20000, false), 0u);
    model_heap::reset(1);
    EXPECT_NE(run_beside_the_marker<deque_programme>(20000, false), 0u);
    model_heap::reset(1);
    EXPECT_NE(run_beside_the_marker<list_programme>(20000, false), 0u);
    model_heap::reset(1);
    EXPECT_NE(run_beside_the_marker<tree_programme>(20000, false), 0u);
    model_heap::reset(1);
    EXPECT_NE(run_beside_the_marker<table_programme>(20000, false), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GcContainers, ::testing::Range(0, 8));

}  // namespace
