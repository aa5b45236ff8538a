// A thread_local variable of a shared object.
namespace app {
thread_local int variable = 1;
int reader() { return variable; }
}  // namespace app
