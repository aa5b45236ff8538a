// gc::pointer_free: what is proven, and above all what is not.
#include <weft/gc.hpp>

#include <gtest/gtest.h>

#include <any>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace gc = weft::gc;

namespace {

[[maybe_unused]] int outside;

enum class colour { red };
struct point {
    int x, y;
};
struct shape {
    point centre;
    point corners[3];
    double matrix[4][2];
    colour c;
};
struct person {
    std::string name;
    int age = 3;
    std::vector<std::string> titles;
};
struct record {
    char text[20];
    std::chrono::nanoseconds took;
    std::chrono::steady_clock::time_point when;
    std::byte flags;
    bool done;
};
struct parts {
    std::pair<int, std::string> p;
    std::tuple<int, double> t;
    std::array<int, 100> a;
};
struct json {
    std::vector<json> items;
    std::map<std::string, json> members;
    int number;
};
struct even;
struct odd {
    std::vector<even> next;
};
struct even {
    std::vector<odd> next;
    int n;
};
struct bits {
    unsigned a : 3;
    unsigned b : 5;
};
struct codes {
    void (*function)(int);
    int point::*member;
};
struct counters {
    std::atomic<int> a;
    std::atomic<long> b;
};
struct empty {};
struct with_empty {
    empty e;
    int n;
};
struct handles {
    gc::weak<int> w;
    gc::root<int> r;
};
static_assert(gc::pointer_free<int> && gc::pointer_free<const double> && gc::pointer_free<colour>);
static_assert(gc::pointer_free<point> && gc::pointer_free<point[3]> && gc::pointer_free<shape>);
static_assert(gc::pointer_free<std::string> && gc::pointer_free<person> &&
              gc::pointer_free<record>);
static_assert(gc::pointer_free<std::map<std::string, std::vector<int>>>);
static_assert(gc::pointer_free<std::optional<point>> && gc::pointer_free<std::variant<int, point>>);
static_assert(gc::pointer_free<parts> && gc::pointer_free<json> && gc::pointer_free<odd>);
static_assert(gc::pointer_free<bits> && gc::pointer_free<codes> && gc::pointer_free<counters>);
static_assert(gc::pointer_free<with_empty> && gc::pointer_free<handles>);

// A promise.
class decimal {
    [[maybe_unused]] void* digits_ = nullptr;
};
struct price {
    decimal amount;
    int currency;
};

}  // namespace

template <>
inline constexpr bool weft::gc::pointer_free<decimal> = true;

namespace {

static_assert(gc::pointer_free<decimal> && gc::pointer_free<price>);

// Pointers, wherever they hide.
struct plain {
    int a;
    int* p;
};
struct collected {
    gc::ptr<int> p;
};
struct text {
    gc::string s;
};
struct tree {
    std::vector<tree> children;
    tree* up;
};
struct choice {
    union {
        int a;
        int* p;
    };
    int k;
};
union either {
    int a;
    int* p;
};
struct with_either {
    int k;
    either e;
};
struct behind_bits {
    unsigned a : 3;
    unsigned b : 5;
    int* p;
};
struct reference {
    int& r;
};
struct base {
    int* p;
};
struct derived : base {
    int n;
};
struct optional_pointer {
    std::optional<int*> a;
    int b;
};
struct variant_pointer {
    std::variant<int, int*> a;
};
struct pair_pointer {
    std::pair<int, int*> p;
};
struct view {
    std::string_view v;
};
struct shared {
    std::shared_ptr<int> p;
};
struct erased {
    std::any a;
};
struct function {
    std::function<void()> f;
};
class hidden {
    [[maybe_unused]] int a_ = 0;
};
static_assert(!gc::pointer_free<int*> && !gc::pointer_free<gc::ptr<int>> &&
              !gc::pointer_free<gc::atomic_ptr<int>> && !gc::pointer_free<gc::function<void()>>);
static_assert(!gc::pointer_free<plain> && !gc::pointer_free<collected> && !gc::pointer_free<text>);
static_assert(!gc::pointer_free<gc::vector<int>> && !gc::pointer_free<tree>);
static_assert(!gc::pointer_free<choice> && !gc::pointer_free<either> &&
              !gc::pointer_free<with_either>);
static_assert(!gc::pointer_free<behind_bits> && !gc::pointer_free<reference> &&
              !gc::pointer_free<derived>);
static_assert(!gc::pointer_free<optional_pointer> && !gc::pointer_free<variant_pointer> &&
              !gc::pointer_free<pair_pointer>);
static_assert(!gc::pointer_free<view> && !gc::pointer_free<shared> && !gc::pointer_free<erased> &&
              !gc::pointer_free<function> && !gc::pointer_free<hidden>);
static_assert(!gc::pointer_free<std::vector<int*>> && !gc::pointer_free<std::unique_ptr<int>>);

// Members that anything initialises, or whatever converts to int; they could pass for a number.
struct takes_all {
    template <class T>
    takes_all(T&&) {}
    int* p = nullptr;
};
struct takes_numbers {
    template <class T>
    requires std::convertible_to<T, int> takes_numbers(T&&) {}
    int* p = nullptr;
};
struct first_takes_all {
    takes_all t = 3;
};
struct then_takes_all {
    int a;
    takes_all t;
};
struct between_numbers {
    int a;
    takes_numbers t;
    int b;
};
// The member has an initialiser of its own, so that the aggregate can do without one; and the member cannot.
struct not_null {
    not_null() = delete;
    template <class T>
    requires std::convertible_to<T, int*> not_null(T&&) {}
    int* p;
};
struct initialised {
    int id;
    not_null n = &outside;
};
struct initialised_reference {
    int id = 1;
    std::reference_wrapper<int> r = outside;
};
struct alignas(16) in_the_padding {
    int id;
    not_null n = &outside;
};
static_assert(!gc::pointer_free<first_takes_all> && !gc::pointer_free<then_takes_all> &&
              !gc::pointer_free<between_numbers>);
static_assert(!gc::pointer_free<initialised> && !gc::pointer_free<initialised_reference> &&
              !gc::pointer_free<in_the_padding>);

// A list of members that says so.
struct says_so {
    void* not_into_the_heap;
    static constexpr auto gc_fields = gc::fields<>;
};
struct lists {
    gc::ptr<int> p;
    int n;
    static constexpr auto gc_fields = gc::fields<&lists::p>;
};

struct with_text {
    int n;
    char text[12];
};
struct with_much_text {
    int n;
    char text[5000];
};
struct with_array {
    gc::ptr<int> p;
    std::array<int, 4> a;
};
struct inside {
    int n;
    with_text t;
};
TEST(GcPointerFree, SeesArraysAtTheEnd) {
    using weft::detail::gc_size_of;
    EXPECT_EQ(gc_size_of<with_text>, sizeof(with_text) + 1);
    EXPECT_EQ(gc_size_of<with_much_text>, sizeof(with_much_text) + 1);
    EXPECT_EQ(gc_size_of<with_array>, sizeof(with_array) + 1);
    EXPECT_EQ(gc_size_of<inside>, sizeof(inside) + 1);
    EXPECT_EQ((gc_size_of<std::array<int, 4>>), sizeof(int[4]) + 1);
    EXPECT_EQ(gc_size_of<point>, sizeof(point));
    EXPECT_EQ(gc_size_of<collected>, sizeof(collected));
    EXPECT_EQ(gc_size_of<person>, sizeof(person));
    EXPECT_EQ(gc_size_of<std::string>, sizeof(std::string));
}

TEST(GcPointerFree, DecidesWhereObjectsLie) {
    using weft::detail::gc_kind;
    using weft::detail::gc_kind_of;
    EXPECT_EQ(gc_kind_of<point>, gc_kind::pointer_free);
    EXPECT_EQ(gc_kind_of<collected>, gc_kind::scanned);
    EXPECT_EQ(gc_kind_of<person>, gc_kind::destructible);
    EXPECT_EQ(gc_kind_of<says_so>, gc_kind::pointer_free);
    EXPECT_EQ(gc_kind_of<lists>, gc_kind::scanned);
}

}  // namespace
