// A library of somebody else's: compiled without a thought of split stacks, and using a lot of stack in each of its
// functions. Built as a shared library and as an archive, which differ in how they are called.
#pragma once

#include <array>
#include <functional>

#if defined(FOREIGN_SHARED)
#define FOREIGN_NAMESPACE foreign_shared
#else
#define FOREIGN_NAMESPACE foreign_static
#endif

namespace FOREIGN_NAMESPACE {

__extension__ using int128 = __int128;

struct two_doubles {
    double x, y;
};
struct thirty_longs {
    std::array<long, 30> values;
};

class shape {
public:
    virtual long grow(long x) = 0;
    virtual thirty_longs scale(thirty_longs by_value, long k) = 0;
    virtual void fail(int what) = 0;  // Throws std::runtime_error.
    virtual ~shape() = default;
};
shape* make_shape();

long deep(long x);  // x + 1, over 9,000 bytes of stack.
long weigh_twelve(long a, long b, long c, long d, long e, long f, long g, long h, long i, double j,
                  long k, long double l);
two_doubles pair_of(double x);
long double half_more(int x);
int128 wide(long x);
long call_back(long (*f)(long), long x);  // f(x) + 1
void call_function(const std::function<void()>& f);
/// depth, counted by calling f(depth - 1), which is to call back, and so on.
long there_and_back(long (*f)(long), long depth);
/// Uses `bytes` of stack.
long use_stack(long bytes);

}  // namespace FOREIGN_NAMESPACE
