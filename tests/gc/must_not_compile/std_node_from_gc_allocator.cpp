// Must not compile: the nodes would be linked without a write barrier.
#include <weft/gc.hpp>

#include <forward_list>

void use() {
    std::forward_list<int, weft::gc::allocator<int>> list;
    list.push_front(1);
}
