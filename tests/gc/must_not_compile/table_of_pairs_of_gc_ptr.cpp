// Must not compile: the collector does not look into malloc memory.
#include <weft/gc.hpp>

std::unordered_map<int, std::pair<int, std::optional<weft::gc::ptr<int>>>> hidden;
