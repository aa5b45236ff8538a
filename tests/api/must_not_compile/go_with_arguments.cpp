// The arguments of a coroutine's function, passed as to a std::thread.
#include <weft/weft.hpp>

void work(int);

void start() { weft::go(work, 3); }
