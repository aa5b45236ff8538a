// Signal handlers and longjmp, in programs with split stacks. The functions of the C library are replaced in the
// executable, and so for every library too.
//
// **Handlers** run on the thread's alternate stack, also those that were installed without SA_ONSTACK: a segment of 1 KiB
// is no place for them. And they run with a limit of 0, for the limit is that of the stack which was interrupted: a
// handler that was compiled for split stacks would grow at random, perhaps in the middle of growing.
//
// **vfork** is fork: the child would change the parent's chain of segments, by every call that it makes.
//
// **longjmp** leaves segments, as an exception does. It may come from a handler too.
#include "base/assert.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "split/mode.hpp"
#include "stack/segment.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>

#include <dlfcn.h>
#include <unistd.h>

namespace weft::detail {
namespace {

using sigaction_function = int (*)(int, const struct sigaction*, struct sigaction*);
using longjmp_function = void (*)(std::jmp_buf, int);

sigaction_function real_sigaction = nullptr;
longjmp_function real_longjmp = nullptr;

// Before main(), while there is one thread. Libraries may install handlers before that.
void find_real() noexcept {
    if (real_sigaction != nullptr) return;
    real_sigaction = reinterpret_cast<sigaction_function>(::dlsym(RTLD_NEXT, "sigaction"));
    real_longjmp = reinterpret_cast<longjmp_function>(::dlsym(RTLD_NEXT, "longjmp"));
    WEFT_CHECK(real_sigaction != nullptr && real_longjmp != nullptr);
}
[[gnu::constructor]] void find_real_early() noexcept { find_real(); }

// What the program has installed. A handler may run while its entry changes, and then sees the old or the new one:
// as with the kernel's table.
struct installed {
    std::atomic<void*> handler{nullptr};
    std::atomic<int> flags{0};
};
std::array<installed, NSIG> table;

void on_signal(int number, siginfo_t* info, void* context) {
    const installed& entry = table[static_cast<std::size_t>(number)];
    void* const handler = entry.handler.load(std::memory_order_acquire);
    const int flags = entry.flags.load(std::memory_order_relaxed);
    if (handler == nullptr) return;  // Reset meanwhile.
    const no_limit_here unlimited;
    if ((flags & SA_SIGINFO) != 0) {
        reinterpret_cast<void (*)(int, siginfo_t*, void*)>(handler)(number, info, context);
    } else {
        reinterpret_cast<void (*)(int)>(handler)(number);
    }
}

bool is_action(const struct sigaction& action) noexcept {
    if ((action.sa_flags & SA_SIGINFO) != 0) return action.sa_sigaction != nullptr;
    return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &on_signal;
}

int install(int number, const struct sigaction* action, struct sigaction* before) noexcept {
    find_real();
    if (number <= 0 || number >= NSIG) {
        errno = EINVAL;
        return -1;
    }
    installed& entry = table[static_cast<std::size_t>(number)];
    void* const old_handler = entry.handler.load(std::memory_order_relaxed);
    const int old_flags = entry.flags.load(std::memory_order_relaxed);
    struct sigaction changed {};
    const struct sigaction* wanted = action;
    if (action != nullptr && is_action(*action)) {
        changed = *action;
        changed.sa_sigaction = &on_signal;
        changed.sa_flags |= SA_SIGINFO | SA_ONSTACK;
        wanted = &changed;
        entry.flags.store(action->sa_flags, std::memory_order_relaxed);
        entry.handler.store((action->sa_flags & SA_SIGINFO) != 0
                                ? reinterpret_cast<void*>(action->sa_sigaction)
                                : reinterpret_cast<void*>(action->sa_handler),
                            std::memory_order_release);
    }
    struct sigaction old {};
    const int result = real_sigaction(number, wanted, &old);
    if (result != 0) {
        entry.flags.store(old_flags, std::memory_order_relaxed);
        entry.handler.store(old_handler, std::memory_order_release);
        return result;
    }
    if (before == nullptr) return 0;
    *before = old;
    if (is_ours(old)) {
        before->sa_flags = old_flags;
        if ((old_flags & SA_SIGINFO) != 0) {
            before->sa_sigaction = reinterpret_cast<void (*)(int, siginfo_t*, void*)>(old_handler);
        } else {
            before->sa_handler = reinterpret_cast<void (*)(int)>(old_handler);
        }
    }
    return 0;
}

// glibc keeps the stack pointer here, xored with a word of the thread's and rotated.
std::uintptr_t stack_pointer_in(const __jmp_buf_tag& buffer) noexcept {
    constexpr std::size_t sp = 6;
    auto value = static_cast<std::uintptr_t>(buffer.__jmpbuf[sp]);
    std::uintptr_t guard = 0;
    asm("movq %%fs:0x30, %0" : "=r"(guard));
    value = value >> 17 | value << 47;
    return value ^ guard;
}

[[noreturn]] void jump_back(__jmp_buf_tag* buffer, int value) noexcept {
    find_real();
    coroutine* const self = this_coroutine();
    if (self != nullptr && self->stack.get().is_split()) {
        leave_segments_above(*self, stack_pointer_in(*buffer));
    }
    real_longjmp(buffer, value);
    __builtin_unreachable();
}

}  // namespace

// Under the names that the program calls.
extern "C" {
int weft_sigaction(int, const struct sigaction*, struct sigaction*) noexcept __asm__("sigaction");
void (*weft_signal(int, void (*)(int)) noexcept)(int) __asm__("signal");
pid_t weft_vfork() noexcept __asm__("vfork");
[[noreturn]] void weft_longjmp(__jmp_buf_tag*, int) noexcept __asm__("longjmp");
[[noreturn]] void weft__longjmp(__jmp_buf_tag*, int) noexcept __asm__("_longjmp");
[[noreturn]] void weft_siglongjmp(__jmp_buf_tag*, int) noexcept __asm__("siglongjmp");
[[noreturn]] void weft_longjmp_chk(__jmp_buf_tag*, int) noexcept __asm__("__longjmp_chk");

int weft_sigaction(int number, const struct sigaction* action, struct sigaction* before) noexcept {
    return install(number, action, before);
}
void (*weft_signal(int number, void (*handler)(int)) noexcept)(int) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaddset(&action.sa_mask, number);
    return install(number, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}
pid_t weft_vfork() noexcept { return ::fork(); }
void weft_longjmp(__jmp_buf_tag* buffer, int value) noexcept { jump_back(buffer, value); }
void weft__longjmp(__jmp_buf_tag* buffer, int value) noexcept { jump_back(buffer, value); }
void weft_siglongjmp(__jmp_buf_tag* buffer, int value) noexcept { jump_back(buffer, value); }
// The check is that frames lie below each other, which those on segments do not.
void weft_longjmp_chk(__jmp_buf_tag* buffer, int value) noexcept { jump_back(buffer, value); }
}  // extern "C"

}  // namespace weft::detail
