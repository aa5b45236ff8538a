// Must not compile: there is nothing to start a coroutine with.
#include <weft/weft.hpp>

#include <memory>

weft::local<std::unique_ptr<int>> inherited(nullptr, weft::inheritance::copied);
