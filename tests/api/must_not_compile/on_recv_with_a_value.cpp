// A handler that takes the value alone, and so could not be told of the end.
#include <weft/weft.hpp>

void wait(weft::chan<int>& numbers) {
    weft::select(weft::on_recv(numbers, [](int) {}));
}
