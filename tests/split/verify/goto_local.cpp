// Labels whose addresses only code has, as in a table on the stack or in differences of labels.
namespace app {
[[gnu::noinline]] int pick(bool first) {
    const void* const where = first ? &&one : &&two;
    volatile int n = 0;
    n = n + 1;
    goto* where;
one:
    n = n + 10;
    return n;
two:
    return n * 3;
}
}  // namespace app

int main(int argc, char**) { return app::pick(argc == 1); }
