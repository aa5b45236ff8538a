#include "os/signal.hpp"

#include "os/memory.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <iterator>

#include <signal.h>
#include <ucontext.h>

namespace weft::detail {
namespace {

constexpr std::size_t alternate_size = std::size_t{64} * 1024;
// Those by which a stack that has run over is noticed come first.
constexpr int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::size_t overflow_faults = 2;

std::atomic<fault_hook> hook{nullptr};
std::size_t installed = 0;  // So many of `faults`.
struct sigaction previous[std::size(faults)];

struct sigaction& previous_of(int signal) noexcept {
    std::size_t i = 0;
    while (i + 1 != std::size(faults) && faults[i] != signal) ++i;
    return previous[i];
}

void read_registers(fault& f) noexcept {
#if defined(__x86_64__)
    const auto& registers = static_cast<const ucontext_t*>(f.context)->uc_mcontext.gregs;
    f.pc = static_cast<std::uintptr_t>(registers[REG_RIP]);
    f.sp = static_cast<std::uintptr_t>(registers[REG_RSP]);
#elif defined(__aarch64__)
    const auto& registers = static_cast<const ucontext_t*>(f.context)->uc_mcontext;
    f.pc = registers.pc;
    f.sp = registers.sp;
#endif
}

// To whom the signal went before. A handler of the program's may return, or jump out of here.
void pass_on(int signal, siginfo_t* info, void* context) noexcept {
    struct sigaction& before = previous_of(signal);
    const bool informed = (before.sa_flags & SA_SIGINFO) != 0;
    if (informed ? before.sa_sigaction == nullptr
                 : before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
        struct sigaction nothing {};
        nothing.sa_handler = SIG_DFL;
        ::sigaction(signal, &nothing, nullptr);
        // After the return the CPU runs the faulting instruction again, so the core has its registers. A signal that was sent does
        // not come again, so it is raised here.
        if (info->si_code <= 0) (void)::raise(signal);
        return;
    }
    // Blocked, as that handler asked for it; the mask of before comes back with the return from ours.
    sigset_t during = before.sa_mask;
    if ((before.sa_flags & SA_NODEFER) == 0) ::sigaddset(&during, signal);
    ::pthread_sigmask(SIG_BLOCK, &during, nullptr);
    const struct sigaction called = before;
    if ((static_cast<unsigned>(before.sa_flags) & SA_RESETHAND) != 0) before = {};
    if (informed) {
        called.sa_sigaction(signal, info, context);
    } else {
        called.sa_handler(signal);
    }
}

void handle(int signal, siginfo_t* info, void* context) {
    const int kept = errno;
    fault f{
        .signal = signal, .code = info->si_code, .sent = info->si_code <= 0, .context = context};
    if (f.sent) {
        const struct sigaction& before = previous_of(signal);
        if ((before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN) return;
        f.sender = info->si_pid;
    } else {
        f.from_kernel = info->si_code == SI_KERNEL;
        f.address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    }
    read_registers(f);
    if (const fault_hook h = hook.load()) h(f);
    errno = kept;
    pass_on(signal, info, context);
}

std::atomic<quit_hook> on_quit{nullptr};

void handle_quit(int) {
    const int kept = errno;
    const quit_hook h = on_quit.load();
    // Delivered when the handler has returned, for it is blocked here.
    if (h == nullptr || !h()) quit_by_default();
    errno = kept;
}

}  // namespace

alternate_stack::alternate_stack() noexcept {
    stack_t before{};
    if (::sigaltstack(nullptr, &before) == 0 && (before.ss_flags & SS_DISABLE) == 0) {
        had_previous_ = true;
        previous_base_ = before.ss_sp;
        previous_size_ = before.ss_size;
    }
    memory_ = reserve_pages(alternate_size, page_size, "signal-stack");
    if (memory_ == nullptr) return;  // A fault will then end the process without our report.
    stack_t ours{};
    ours.ss_sp = memory_;
    ours.ss_size = alternate_size;
    ::sigaltstack(&ours, nullptr);
}

alternate_stack::~alternate_stack() {
    if (memory_ == nullptr) return;
    stack_t before{};
    before.ss_sp = previous_base_;
    before.ss_size = previous_size_;
    before.ss_flags = had_previous_ ? 0 : SS_DISABLE;
    ::sigaltstack(&before, nullptr);
    release_pages(memory_, alternate_size);
}

std::string_view name_of_signal(int signal) noexcept {
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    default:
        return {};
    }
}

std::string_view reason_of(const fault& f) noexcept {
    if (f.sent) return {};
    if (f.signal == SIGFPE && f.code == FPE_INTDIV) return "integer division by zero";
    if (f.signal == SIGSEGV && f.code == SEGV_ACCERR) return "no permission";
    if (f.signal == SIGBUS && f.code == BUS_ADRERR) return "nothing is there: a file that was cut?";
    if (f.signal == SIGBUS && f.code == BUS_ADRALN) return "misaligned";
    return {};
}

void install_fault_hook(fault_hook h, bool all) noexcept {
    hook.store(h);
    struct sigaction action {};
    action.sa_sigaction = handle;
    // SA_NODEFER, because a fault in the hook would otherwise end the process in the middle of its report.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    installed = all ? std::size(faults) : overflow_faults;
    // Reads the old action before it sets ours, because a fault may come at once and our handler then needs the old one.
    for (std::size_t i = 0; i != installed; ++i) {
        ::sigaction(faults[i], nullptr, &previous[i]);
        ::sigaction(faults[i], &action, nullptr);
    }
}

void remove_fault_hook() noexcept {
    for (std::size_t i = 0; i != installed; ++i) {
        struct sigaction current {};
        ::sigaction(faults[i], nullptr, &current);
        if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle) {
            ::sigaction(faults[i], &previous[i], nullptr);
        }
    }
    installed = 0;
    hook.store(nullptr);
}

void reset_faults() noexcept {
    struct sigaction nothing {};
    nothing.sa_handler = SIG_DFL;
    for (const int signal : faults) ::sigaction(signal, &nothing, nullptr);
}

returned_from_nowhere::returned_from_nowhere(const fault& f) noexcept : fault_(f) {
#if defined(__x86_64__)
    auto& registers = static_cast<ucontext_t*>(f.context)->uc_mcontext.gregs;
    registers[REG_RIP] = *reinterpret_cast<const long long*>(f.sp);
    registers[REG_RSP] = static_cast<long long>(f.sp) + static_cast<long long>(sizeof(void*));
#elif defined(__aarch64__)
    auto& registers = static_cast<ucontext_t*>(f.context)->uc_mcontext;
    registers.pc = registers.regs[30];
#endif
}

returned_from_nowhere::~returned_from_nowhere() {
#if defined(__x86_64__)
    auto& registers = static_cast<ucontext_t*>(fault_.context)->uc_mcontext.gregs;
    registers[REG_RIP] = static_cast<long long>(fault_.pc);
    registers[REG_RSP] = static_cast<long long>(fault_.sp);
#elif defined(__aarch64__)
    static_cast<ucontext_t*>(fault_.context)->uc_mcontext.pc = fault_.pc;
#endif
}

void install_quit_hook(quit_hook h) noexcept {
    struct sigaction current {};
    if (::sigaction(SIGQUIT, nullptr, &current) != 0) return;
    if ((current.sa_flags & SA_SIGINFO) != 0 || current.sa_handler != SIG_DFL) return;
    on_quit.store(h);
    struct sigaction action {};
    action.sa_handler = handle_quit;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGQUIT, &action, nullptr);
}

void remove_quit_hook() noexcept {
    struct sigaction current {};
    ::sigaction(SIGQUIT, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == handle_quit) {
        (void)::signal(SIGQUIT, SIG_DFL);
    }
    on_quit.store(nullptr);
}

void quit_by_default() noexcept {
    (void)::signal(SIGQUIT, SIG_DFL);
    (void)::raise(SIGQUIT);
}

}  // namespace weft::detail
