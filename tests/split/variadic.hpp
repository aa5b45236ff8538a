// A function of a variable number of arguments, which it looks for relative to where it was called.
#pragma once

#include <cstdarg>

namespace weft::test {

/// The sum of `count` arguments, by turns int and double.
[[gnu::noinline]] inline double sum_variadic(int count, ...) {
    va_list list;
    va_start(list, count);
    double sum = 0;
    for (int i = 0; i != count; ++i) sum += i % 2 == 0 ? va_arg(list, int) : va_arg(list, double);
    va_end(list);
    return sum;
}

}  // namespace weft::test
