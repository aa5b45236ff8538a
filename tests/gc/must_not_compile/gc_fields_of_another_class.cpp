// Must not compile: the list names a member of another class.
#include <weft/gc.hpp>

struct other {
    weft::gc::ptr<int> p;
};
struct node {
    weft::gc::ptr<int> p;
    static constexpr auto gc_fields = weft::gc::fields<&other::p>;
};
auto make() { return weft::gc::make<node>(); }
