#include <weft/weft.hpp>

void wait(weft::sender<int>& numbers) {
    weft::select(weft::on_recv(numbers, [] {}));
}
