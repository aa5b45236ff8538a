#include <weft/weft.hpp>

int work(int);

void start(weft::join_set<int>& all) { all.spawn(work, 3); }
