#include <weft/weft.hpp>

void wait(weft::chan<int>& numbers) {
    weft::select(weft::on_recv(numbers), weft::on_timeout(5, [] {}));
}
