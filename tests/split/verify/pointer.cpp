// A call through a pointer, and a jump: without the flags for the thunk neither makes room.
namespace app {
using function = int (*)(int);
[[gnu::noinline]] int through_pointer(function f, int n) { return f(n) + 1; }
[[gnu::noinline]] int at_the_end(function f, int n) { return f(n); }
}  // namespace app

int main(int argc, char**) {
    return app::through_pointer([](int n) { return n; }, argc) +
           app::at_the_end([](int n) { return n + 1; }, argc);
}
