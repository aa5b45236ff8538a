// Must not compile: a function is no field.
#include <weft/gc.hpp>

struct node {
    void f();
    static constexpr auto gc_fields = weft::gc::fields<&node::f>;
};
