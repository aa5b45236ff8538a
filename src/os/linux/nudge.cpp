#include "os/nudge.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace weft::detail {
namespace {

std::atomic<nudge_hook> on_nudge{nullptr};
struct sigaction previous;
bool installed = false;

#if defined(__x86_64__)
// What the kernel leaves at the end of the first 512 bytes, where the CPU has more registers than those
// (struct _fpx_sw_bytes of its headers).
struct extension {
    std::uint32_t magic;
    std::uint32_t size;  // Of all of it.
};
constexpr std::uint32_t extension_magic = 0x46505853;
constexpr std::size_t legacy_size = 512;
constexpr std::size_t extension_offset = 464;

std::span<const std::byte> vectors_of(const ucontext_t& context) noexcept {
    const auto* const state = reinterpret_cast<const std::byte*>(context.uc_mcontext.fpregs);
    if (state == nullptr) return {};
    extension more{};
    std::memcpy(&more, state + extension_offset, sizeof(more));
    return {state,
            more.magic == extension_magic && more.size >= legacy_size ? more.size : legacy_size};
}
#endif

interrupted read(const ucontext_t& context) noexcept {
    interrupted where;
#if defined(__x86_64__)
    const auto& registers = context.uc_mcontext.gregs;
    where.pc = static_cast<std::uintptr_t>(registers[REG_RIP]);
    where.sp = static_cast<std::uintptr_t>(registers[REG_RSP]);
    where.registers = std::as_bytes(std::span(registers));
    where.vectors = vectors_of(context);
#elif defined(__aarch64__)
    where.pc = context.uc_mcontext.pc;
    where.sp = context.uc_mcontext.sp;
    where.registers = std::as_bytes(std::span(context.uc_mcontext.regs));
    where.vectors = std::as_bytes(std::span(context.uc_mcontext.__reserved));
#endif
    return where;
}

bool has_handler(const struct sigaction& action) noexcept {
    if ((action.sa_flags & SA_SIGINFO) != 0) return action.sa_sigaction != nullptr;
    return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

void handle(int signal, siginfo_t* info, void* context) {
    const int kept = errno;
    if (const nudge_hook hook = on_nudge.load(std::memory_order_acquire)) {
        hook(read(*static_cast<const ucontext_t*>(context)));
    }
    errno = kept;
    const bool ours = info->si_code == SI_TKILL && info->si_pid == ::getpid();
    if (ours || !has_handler(previous)) return;
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
    } else {
        previous.sa_handler(signal);
    }
}

}  // namespace

void install_nudges(nudge_hook hook) noexcept {
    on_nudge.store(hook, std::memory_order_release);
    struct sigaction current {};
    if (::sigaction(SIGURG, nullptr, &current) != 0) return;
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle) return;
    previous = current;
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGURG, &action, nullptr);
    installed = true;
}

void remove_nudges() noexcept {
    on_nudge.store(nullptr, std::memory_order_release);
    if (!installed) return;
    installed = false;
    struct sigaction current {};
    ::sigaction(SIGURG, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) == 0 || current.sa_sigaction != handle) return;
    ::sigaction(SIGURG, &previous, nullptr);
}

bool unblock_nudges() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGURG);
    sigset_t before;
    ::pthread_sigmask(SIG_UNBLOCK, &set, &before);
    return ::sigismember(&before, SIGURG) == 1;
}

void block_nudges() noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGURG);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void nudge(int thread_id) noexcept {
    const int kept = errno;
    ::syscall(SYS_tgkill, ::getpid(), thread_id, SIGURG);
    errno = kept;
}

}  // namespace weft::detail
