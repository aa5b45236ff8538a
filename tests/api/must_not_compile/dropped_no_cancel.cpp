// An object without a name ends at the semicolon.
#include <weft/weft.hpp>

void clean_up() { weft::no_cancel(); }
