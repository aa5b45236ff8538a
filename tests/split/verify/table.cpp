// A switch that the compiler is made to use a table for.
namespace app {
[[gnu::noinline]] int choose(int n, volatile int* p) {
    switch (n) {
    case 0:
        *p = 3;
        return 10;
    case 1:
        *p = 1;
        return *p;
    case 2:
        *p = 4;
        return 1 + *p;
    case 3:
        *p = 1;
        return 7 + *p;
    case 4:
        *p = 5;
        return 5 * *p;
    case 5:
        *p = 9;
        return 4 - *p;
    case 6:
        *p = 2;
        return 3 ^ *p;
    default:
        return 0;
    }
}
}  // namespace app

int main(int argc, char**) {
    volatile int n = 0;
    return app::choose(argc, &n);
}
