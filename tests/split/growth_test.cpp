// What a call carries arrives, and what it returns comes back, wherever the segment of the caller ends.
#include "split/segments.hpp"
#include "split/variadic.hpp"

#include <array>
#include <complex>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <sstream>
#include <string>

namespace weft::test {
namespace {

class Growth : public plain_runtime {
protected:
    template <class F>
    static void at_all_distances(F&& f) {
        in_coroutine([&] { at_every_room(f); });
    }
};

[[gnu::noinline]] long recurse(long depth) {
    volatile long here = depth;
    if (depth == 0) return 0;
    const long below = recurse(depth - 1);
    return below + 1 + (here - depth);
}

TEST_F(Growth, RecursionAHundredThousandDeep) {
    in_coroutine([] {
        for (const long depth : {10L, 1'000L, 100'000L}) EXPECT_EQ(recurse(depth), depth);
    });
}

[[gnu::noinline]] long recurse_in_large_frames(int depth) {
    volatile char frame[65'536];
    frame[0] = static_cast<char>(depth);
    frame[65'535] = static_cast<char>(2 * depth);
    if (depth == 0) return 0;
    const long below = recurse_in_large_frames(depth - 1);
    return below + frame[0] + frame[65'535] - 3 * depth + 1;
}

TEST_F(Growth, FramesLargerThanTheLargestClass) {
    in_coroutine([] { EXPECT_EQ(recurse_in_large_frames(20), 20); });
}

// Written and read through volatile, so that every byte of it is.
[[gnu::noinline]] long sum_of(volatile char* bytes, std::size_t count) {
    for (std::size_t i = 0; i != count; ++i) bytes[i] = static_cast<char>(i % 7);
    long sum = 0;
    for (std::size_t i = 0; i != count; ++i) sum += bytes[i];
    return sum;
}

long sum_expected(std::size_t count) {
    long sum = 0;
    for (std::size_t i = 0; i != count; ++i) sum += static_cast<long>(i % 7);
    return sum;
}

[[gnu::noinline]] long sum_on_the_stack(std::size_t count) {
    return sum_of(static_cast<volatile char*>(__builtin_alloca(count)), count);
}

TEST_F(Growth, AllocaOfAnySizeAtAnyDistance) {
    in_coroutine([] {
        for (const std::size_t count : {10u, 100u, 1'000u, 5'000u, 20'000u, 100'000u}) {
            for (std::size_t room = 0; room < 1'600; room += 80) {
                with_room(room, [&] { EXPECT_EQ(sum_on_the_stack(count), sum_expected(count)); });
            }
        }
    });
}

[[gnu::noinline]] long sum_of_arrays(std::size_t most) {
    long sum = 0;
    for (std::size_t n = 1; n <= most; n = n * 2 + 1) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
        char array[n];
#pragma GCC diagnostic pop
        sum += sum_of(array, n) - sum_expected(n) + 1;
    }
    return sum;
}

TEST_F(Growth, ArraysOfVariableLengthInALoop) {
    at_all_distances([] { EXPECT_EQ(sum_of_arrays(2'000), 10); });
}

[[gnu::noinline]] long keep_two(std::size_t count) {
    auto* const first = static_cast<volatile char*>(__builtin_alloca(count));
    for (std::size_t i = 0; i != count; ++i) first[i] = 42;
    long sum = 0;
    // Each of these has a frame that asks for more, and that is gone when the next one asks.
    for (int i = 0; i != 3; ++i) sum += sum_on_the_stack(count);
    auto* const second = static_cast<volatile char*>(__builtin_alloca(count));
    for (std::size_t i = 0; i != count; ++i) second[i] = 7;
    for (std::size_t i = 0; i != count; ++i) sum += first[i] == 42 && second[i] == 7;
    return sum;
}

TEST_F(Growth, WhatAFrameHasAllocatedStaysWhileItRuns) {
    at_all_distances([] { EXPECT_EQ(keep_two(3'000), 3 * sum_expected(3'000) + 3'000); });
}

// Alternately an int and a double.
[[gnu::noinline]] double sum_list(int count, va_list list) {
    double sum = 0;
    for (int i = 0; i != count; ++i) sum += i % 2 == 0 ? va_arg(list, int) : va_arg(list, double);
    return sum;
}
[[gnu::noinline]] double sum_variadic_by_list(int count, ...) {
    va_list list;
    va_start(list, count);
    const double sum = sum_list(count, list);
    va_end(list);
    return sum;
}
template <std::size_t... I>
void check_variadic(std::index_sequence<I...>) {
    const auto argument = []<std::size_t N>(std::integral_constant<std::size_t, N>) {
        if constexpr (N % 2 == 0) {
            return static_cast<int>(N) + 1;
        } else {
            return static_cast<double>(N) + 1;
        }
    };
    constexpr int count = static_cast<int>(sizeof...(I));
    constexpr double expected = count * (count + 1) / 2;
    EXPECT_EQ(sum_variadic_by_list(count, argument(std::integral_constant<std::size_t, I>())...),
              expected);
    EXPECT_EQ(sum_variadic(count, argument(std::integral_constant<std::size_t, I>())...), expected);
}

TEST_F(Growth, AnyNumberOfVariableArguments) {
    at_all_distances([] {
        check_variadic(std::make_index_sequence<1>());
        check_variadic(std::make_index_sequence<5>());
        check_variadic(std::make_index_sequence<6>());
        check_variadic(std::make_index_sequence<12>());
        check_variadic(std::make_index_sequence<13>());
        check_variadic(std::make_index_sequence<20>());
        check_variadic(std::make_index_sequence<45>());
    });
}

template <std::size_t... I>
std::string print_ints(int first, std::index_sequence<I...>) {
    constexpr std::array<char, sizeof...(I)* 3 + 1> format = [] {
        std::array<char, sizeof...(I) * 3 + 1> text{};
        for (std::size_t i = 0; i != sizeof...(I); ++i) {
            text[3 * i] = '%';
            text[3 * i + 1] = 'd';
            text[3 * i + 2] = ' ';
        }
        return text;
    }();
    std::array<char, 400> out{};
    std::snprintf(out.data(), out.size(), format.data(), (first + static_cast<int>(I))...);
    return out.data();
}

// The size of its arguments is known to nobody on the way: snprintf is not compiled for segments.
TEST_F(Growth, SnprintfOfFortyFiveInts) {
    std::string expected;
    for (int i = 0; i != 45; ++i) expected += std::to_string(1000 + i) + " ";
    at_all_distances(
        [&] { EXPECT_EQ(print_ints(1000, std::make_index_sequence<45>()), expected); });
}

template <std::size_t N>
struct words {
    std::array<std::uint64_t, N> w;
};
template <std::size_t N>
words<N> words_from(std::uint64_t first) {
    words<N> x;
    for (std::size_t i = 0; i != N; ++i) x.w[i] = first + i;
    return x;
}

template <std::size_t N>
[[gnu::noinline]] words<N> combine(words<N> x, std::uint64_t k, words<N> y) {
    words<N> result;
    for (std::size_t i = 0; i != N; ++i) result.w[i] = x.w[i] * k + y.w[i];
    return result;
}

template <std::size_t N>
void check_by_value() {
    const words<N> r = combine(words_from<N>(3), 5, words_from<N>(100));
    for (std::size_t i = 0; i != N; ++i) {
        ASSERT_EQ(r.w[i], (3 + i) * 5 + 100 + i) << N << " words, number " << i;
    }
}

TEST_F(Growth, StructsByValueAndAsResults) {
    at_all_distances([] {
        check_by_value<2>();
        check_by_value<3>();
        check_by_value<8>();
        check_by_value<40>();
        check_by_value<200>();
    });
}

struct alignas(64) aligned {
    std::array<long, 24> values;
};

[[gnu::noinline]] std::uintptr_t misalignment(const void* address) {
    auto at = reinterpret_cast<std::uintptr_t>(address);
    asm volatile("" : "+r"(at));  // The compiler would know the answer.
    return at % 64;
}

[[gnu::noinline]] long sum_aligned(int k, aligned x) {
    EXPECT_EQ(misalignment(&x), 0u);
    aligned mine = x;
    EXPECT_EQ(misalignment(&mine), 0u);
    long sum = k;
    for (const long v : mine.values) sum += v;
    return sum;
}

TEST_F(Growth, AlignedArgumentsAndLocals) {
    at_all_distances([] {
        aligned x;
        for (std::size_t i = 0; i != 24; ++i) x.values[i] = static_cast<long>(i);
        EXPECT_EQ(sum_aligned(4, x), 280);
    });
}

[[gnu::noinline]] long weigh(long a, long b, long c, long d, long e, long f, long g, long h,
                             long i) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i;
}
[[gnu::noinline]] double weigh(double a, double b, double c, double d, double e, double f, double g,
                               double h, double i, double j) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
}

TEST_F(Growth, MoreArgumentsThanRegisters) {
    at_all_distances([] {
        EXPECT_EQ(weigh(1L, 2, 3, 4, 5, 6, 7, 8, 9), 285);
        EXPECT_EQ(weigh(1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10), 385);
    });
}

__extension__ using int128 = __int128;

[[gnu::noinline]] int128 wide(long a) {
    return (static_cast<int128>(a) << 64) | static_cast<unsigned long>(a + 1);
}
[[gnu::noinline]] long double extended(int a) { return static_cast<long double>(a) + 0.5L; }
[[gnu::noinline]] std::complex<double> complex_of(double a) { return {a, -a}; }
[[gnu::noinline]] std::complex<long double> complex_extended(long double a) { return {a, -a}; }
struct two_doubles {
    double x, y;
};
[[gnu::noinline]] two_doubles pair_of(double a) { return {a, a + 1}; }
struct int_and_double {
    long x;
    double y;
};
[[gnu::noinline]] int_and_double mixed(long a) { return {a, static_cast<double>(a) / 2}; }

TEST_F(Growth, ResultsInEveryRegister) {
    at_all_distances([] {
        EXPECT_TRUE(wide(7) == ((static_cast<int128>(7) << 64) | 8u));
        EXPECT_EQ(extended(3), 3.5L);
        EXPECT_EQ(complex_of(2.5), (std::complex<double>(2.5, -2.5)));
        EXPECT_EQ(complex_extended(2.5L), (std::complex<long double>(2.5L, -2.5L)));
        EXPECT_EQ(pair_of(4).x, 4);
        EXPECT_EQ(pair_of(4).y, 5);
        EXPECT_EQ(mixed(9).x, 9);
        EXPECT_EQ(mixed(9).y, 4.5);
    });
}

[[gnu::noinline]] bool on_another_than(const segment* s) {
    volatile char frame[480];
    frame[0] = 1;
    const segment* const mine = &newest_segment();
    return frame[0] == 1 && mine != s;
}

// And so it is known that the rooms above are what they say.
TEST_F(Growth, OnlyWithoutRoomIsThereACrossing) {
    in_coroutine([] {
        int crossings = 0;
        on_larger_segment([&] {
            for (std::size_t room = 0; room <= 1'600; room += 16) {
                with_room(room, [&] { crossings += on_another_than(&newest_segment()); });
            }
        });
        EXPECT_GT(crossings, 480 / 16 - 8);
        EXPECT_LT(crossings, 480 / 16 + 24);  // Frames that are not optimised are larger.
    });
}

TEST_F(Growth, SegmentsAreLeftOnReturn) {
    in_coroutine([] {
        segment* const first = &newest_segment();
        for (int i = 0; i != 100; ++i) {
            touch_deeper(200'000);
            ASSERT_EQ(&newest_segment(), first);
        }
    });
}

// The limit is the thread's, the segments are not.
TEST_F(Growth, SegmentsGoAlongToAnotherThread) {
    in_coroutine(
        [] {
            scope all;
            for (int i = 0; i != 50; ++i) {
                all.go([i] {
                    struct {
                        int seed;
                        long operator()(int depth) const {
                            volatile char frame[200];
                            frame[0] = static_cast<char>(depth);
                            if (depth % 10 == seed % 10) yield();
                            const long below = depth == 0 ? 0 : (*this)(depth - 1);
                            if (depth % 7 == seed % 7) yield();
                            return below + 1 + (frame[0] - static_cast<char>(depth));
                        }
                    } const f{i};
                    EXPECT_EQ(f(200), 201);
                });
            }
            all.join();
        },
        {.processors = 2});
}

// Asking for room is not using it: with 256 KiB in all, a dump asks for as much once more.
TEST_F(Growth, RoomThatIsAskedForIsNoOverflow) {
    constexpr std::size_t most = 256 * 1024;
    in_coroutine(
        [] {
            std::ostringstream out;
            report::dump(out);
            EXPECT_NE(out.str().find("[running]"), std::string::npos) << out.str();
            for (const std::size_t room : {most / 2, most - 10'000, most - 1}) {
                EXPECT_EQ(on_big_stack([] { return touch_deeper(20'000); }, room),
                          touch_deeper(20'000));
            }
        },
        {.max_stack = most});
}

TEST_F(Growth, MoreRoomThanThereMayBeIsRefused) {
    constexpr std::size_t most = 256 * 1024;
    in_coroutine(
        [] {
            EXPECT_THROW(on_big_stack([] {}, most), std::bad_alloc);
            EXPECT_THROW(on_big_stack([] {}, most * 100), std::bad_alloc);
        },
        {.max_stack = most});
}

TEST_F(Growth, BeginsWithWhatIsAskedFor) {
    weft::run([] {
        spawn({.stack_size = 16'384}, [] {
            EXPECT_EQ(newest_segment().size(), 16'384u);
            touch_deeper(10'000);
        }).join();
    });
}

}  // namespace
}  // namespace weft::test
