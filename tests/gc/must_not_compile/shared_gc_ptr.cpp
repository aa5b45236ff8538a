// Must not compile: the collector does not look into malloc memory.
#include <weft/gc.hpp>

auto hidden = std::make_shared<weft::gc::ptr<int>>();
