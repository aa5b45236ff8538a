// A function that is marked not to have a split stack, called by one that has one.
namespace app {
[[gnu::no_split_stack, gnu::noinline]] int marked(int n);
int marked(int n) { return n * 3; }
[[gnu::noinline]] int caller(int n) { return marked(n) + 1; }
}  // namespace app

int main(int argc, char**) { return app::caller(argc); }
