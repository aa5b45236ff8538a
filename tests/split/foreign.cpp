#include "split/foreign.hpp"

#include <stdexcept>

namespace FOREIGN_NAMESPACE {
namespace {

// What a library may have on its stack. Filled in, so that every page of it is.
template <std::size_t Bytes>
struct scratch {
    scratch() {
        for (volatile char& c : bytes) c = 1;
    }
    volatile char bytes[Bytes];
};

class circle : public shape {
public:
    long grow(long x) override {
        const scratch<9000> s;
        return x + s.bytes[8000];
    }
    thirty_longs scale(thirty_longs by_value, long k) override {
        const scratch<9000> s;
        for (long& v : by_value.values) v *= k * s.bytes[7];
        return by_value;
    }
    void fail(int what) override {
        const scratch<9000> s;
        if (what + s.bytes[1] != 0) throw std::runtime_error("foreign");
    }
};

}  // namespace

shape* make_shape() { return new circle; }

long deep(long x) {
    const scratch<9000> s;
    return x + s.bytes[5];
}

long weigh_twelve(long a, long b, long c, long d, long e, long f, long g, long h, long i, double j,
                  long k, long double l) {
    const scratch<9000> s;
    return a * s.bytes[3] + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i +
           static_cast<long>(10 * j) + 11 * k + static_cast<long>(12 * l);
}

two_doubles pair_of(double x) {
    const scratch<9000> s;
    return {x, x + s.bytes[3]};
}
long double half_more(int x) {
    const scratch<9000> s;
    return static_cast<long double>(x) * s.bytes[3] + 0.5L;
}
int128 wide(long x) {
    const scratch<9000> s;
    return (static_cast<int128>(x) << 64) | static_cast<unsigned>(s.bytes[3] + 4);
}

long call_back(long (*f)(long), long x) {
    const scratch<3000> s;
    return f(x) + s.bytes[7];
}
void call_function(const std::function<void()>& f) {
    const scratch<3000> s;
    if (s.bytes[9] == 1) f();
}
long there_and_back(long (*f)(long), long depth) {
    const scratch<200> s;
    return depth == 0 ? 0 : f(depth - 1) + s.bytes[9];
}

long use_stack(long bytes) {
    const scratch<1000> s;
    if (bytes <= 0) return 0;
    const long below = use_stack(bytes - 1000);
    return below + s.bytes[9];
}

}  // namespace FOREIGN_NAMESPACE
