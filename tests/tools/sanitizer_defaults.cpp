// How the sanitizers run, built into every program of an instrumented tree, so that one started by hand
// behaves as it does under ctest. ASAN_OPTIONS and the like still override each setting.

extern "C" {

const char* __asan_default_options();
const char* __ubsan_default_options();
const char* __tsan_default_options();

// A fake stack would move locals off the coroutine's stack, where nobody follows them across a switch.
const char* __asan_default_options() {
    return "detect_stack_use_after_return=0:detect_leaks=1:strict_init_order=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1"; }
}
