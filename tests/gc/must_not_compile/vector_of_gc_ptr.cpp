// Must not compile: the collector does not look into malloc memory.
#include <weft/gc.hpp>

std::vector<weft::gc::ptr<int>> hidden;
