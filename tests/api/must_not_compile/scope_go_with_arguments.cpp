#include <weft/weft.hpp>

void work(int&);

void start(int& n) {
    weft::scope helpers;
    helpers.go(work, n);
}
