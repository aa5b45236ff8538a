// A call of a function in another file.
#include <cstdio>

namespace app {
[[gnu::noinline]] int caller(const char* text) { return std::puts(text) + 1; }
}  // namespace app

int main(int, char** argv) { return app::caller(argv[0]); }
