// Must not compile: the collector does not look into malloc memory, so it would free the inner buffers.
#include <weft/gc.hpp>

std::vector<weft::gc::vector<int>> hidden;
