#include <weft/weft.hpp>

void wait() { weft::after(5).recv(); }
