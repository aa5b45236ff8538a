// Must not compile: there is no atomic pointer to an array.
#include <weft/gc.hpp>

weft::gc::atomic_ptr<int[]> array;
