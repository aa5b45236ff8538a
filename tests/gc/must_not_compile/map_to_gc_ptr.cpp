// Must not compile: the collector does not look into malloc memory.
#include <weft/gc.hpp>

std::map<int, weft::gc::ptr<int>> hidden;
