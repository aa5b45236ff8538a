// An interpreter with computed gotos. KEEP is the attribute that it ought to have.
#ifndef KEEP
#define KEEP
#endif

namespace app {
KEEP [[gnu::noinline]] int interpret(const unsigned char* program) {
    static const void* const labels[] = {&&add, &&twice, &&end};
    int n = 0;
    goto* labels[*program];
add:
    ++n;
    goto* labels[*++program];
twice:
    n *= 2;
    goto* labels[*++program];
end:
    return n;
}
}  // namespace app

int main() {
    const unsigned char program[] = {0, 1, 0, 2};
    return app::interpret(program);
}
