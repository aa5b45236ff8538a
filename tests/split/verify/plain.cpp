// Nothing in it goes wrong.
namespace app {
[[gnu::noinline]] int twice(int n) { return n * 2; }
}  // namespace app

int main(int argc, char**) { return app::twice(argc); }
