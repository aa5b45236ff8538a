// The handle's destructor would cancel the child at the semicolon.
#include <weft/weft.hpp>

void start(weft::scope& helpers) {
    helpers.spawn([] { return 1; });
}
