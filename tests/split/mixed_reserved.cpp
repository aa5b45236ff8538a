// The part of split_mixed that was compiled without the flags: its coroutines have reserved stacks.
#include "mixed.hpp"

#include <weft/weft.hpp>

namespace mixed {

long reserved_sum(weft::chan<long>& from, int count) {
    return weft::spawn([&from, count] {
               long sum = 0;
               for (int i = 0; i != count; ++i) sum += from.recv().value_or(0);
               return sum;
           })
        .join();
}

void call_back(void (*f)(void*), void* argument) { f(argument); }

}  // namespace mixed
