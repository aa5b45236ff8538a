// A function in assembly, which is known to be in this program: the call is a direct one.
extern "C" [[gnu::visibility("hidden")]] int in_assembly(int);
asm(".text\n.globl in_assembly\n.hidden in_assembly\nin_assembly:\n    mov %edi, %eax\n    ret\n");

namespace app {
[[gnu::noinline]] int caller(int n) { return in_assembly(n); }
}  // namespace app

int main(int argc, char**) { return app::caller(argc) + 1; }
