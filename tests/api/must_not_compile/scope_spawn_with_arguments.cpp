#include <weft/weft.hpp>

int work(int);

int start() {
    weft::scope helpers;
    return helpers.spawn(work, 3).join();
}
