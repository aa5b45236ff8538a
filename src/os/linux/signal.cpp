#include "os/signal.hpp"

#include "os/memory.hpp"

#include <atomic>
#include <cerrno>

#include <signal.h>

namespace weft::detail {
namespace {

constexpr std::size_t alternate_size = std::size_t{64} * 1024;
constexpr int faults[] = {SIGSEGV, SIGBUS};

std::atomic<fault_hook> hook{nullptr};
struct sigaction previous[2];

void handle(int signal, siginfo_t* info, void* context) {
    if (const fault_hook h = hook.load()) h(reinterpret_cast<std::uintptr_t>(info->si_addr));

    const struct sigaction& before = previous[signal == SIGSEGV ? 0 : 1];
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
        before.sa_sigaction(signal, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(signal);
    } else {
        // Back to the default, and then the faulting instruction runs again.
        ::signal(signal, SIG_DFL);
    }
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

void install_fault_hook(fault_hook h) noexcept {
    hook.store(h);
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    for (int i = 0; i != 2; ++i) ::sigaction(faults[i], &action, &previous[i]);
}

void remove_fault_hook() noexcept {
    for (int i = 0; i != 2; ++i) {
        struct sigaction current {};
        ::sigaction(faults[i], nullptr, &current);
        if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle) {
            ::sigaction(faults[i], &previous[i], nullptr);
        }
    }
    hook.store(nullptr);
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
        ::signal(SIGQUIT, SIG_DFL);
    }
    on_quit.store(nullptr);
}

void quit_by_default() noexcept {
    ::signal(SIGQUIT, SIG_DFL);
    ::raise(SIGQUIT);
}

}  // namespace weft::detail
