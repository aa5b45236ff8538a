// Opens the plug-ins named, with each kind of scope, and calls them: one after the other, in turn, from a thread, and again
// after they were closed.
//   host local|global PLUGIN PLUGIN
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <dlfcn.h>

namespace {

using function = int (*)();

function open(const char* path, int scope, void** handle) {
    *handle = dlopen(path, RTLD_NOW | scope);
    if (*handle == nullptr) {
        std::printf("can't open: %s\n", dlerror());
        std::exit(1);
    }
    return reinterpret_cast<function>(dlsym(*handle, "answer"));
}

void expect(function answer) {
    const int is = answer();
    if (is == 42) return;
    std::printf("the answer is %d\n", is);
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const int scope = std::strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    void* first = nullptr;
    void* second = nullptr;
    function one = open(argv[2], scope, &first);
    const function other = open(argv[3], scope, &second);
    expect(one);
    expect(other);
    expect(one);
    std::thread([&] { expect(other); }).join();

    // It stays where it is, because threads of the runtime may be in it.
    dlclose(first);
    void* const still = dlopen(argv[2], RTLD_NOW | RTLD_NOLOAD);
    if (still == nullptr) {
        std::puts("dlclose() has unloaded it");
        return 1;
    }
    one = open(argv[2], scope, &first);
    expect(one);
    std::puts("plugins: 42");
}
