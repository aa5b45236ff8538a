// The same with options in front.
#include <weft/weft.hpp>

void work(int);

void start(const weft::spawn_options& options) { weft::go(options, work, 3); }
