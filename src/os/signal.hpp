// Signals: those that end a process, and being asked what is going on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

/// A stack for signal handlers, for the thread that constructs it and as long as it lives. The thread's
/// previous one is restored.
class alternate_stack {
public:
    alternate_stack() noexcept;
    ~alternate_stack();
    alternate_stack(const alternate_stack&) = delete;
    alternate_stack& operator=(const alternate_stack&) = delete;

private:
    void* memory_ = nullptr;
    void* previous_base_ = nullptr;
    std::size_t previous_size_ = 0;
    bool had_previous_ = false;
};

/// A fatal signal, as its handler sees it.
struct fault {
    int signal = 0;
    int code = 0;
    bool sent = false;           // By kill(), raise() or abort(), and not by the CPU.
    int sender = 0;              // The process, if it was sent.
    bool from_kernel = false;    // The CPU has told no more than that something is wrong.
    std::uintptr_t address = 0;  // Which memory or instruction, if it was not.
    std::uintptr_t pc = 0;  // Where the thread was; 0 when this CPU's registers are unknown here.
    std::uintptr_t sp = 0;
    void* context = nullptr;
};

/// "SIGSEGV"; empty for signals that are not fatal here.
[[nodiscard]] std::string_view name_of_signal(int signal) noexcept;
/// Returns the kernel's reason for the fault in words, "integer division by zero"; empty when the kernel gives none of use.
[[nodiscard]] std::string_view reason_of(const fault& f) noexcept;

/// Called in the handler. If it returns, the handler that was there before has its turn, or the signal does what it does by
/// default. The signal is not blocked meanwhile: a fault inside of the hook calls it once more.
using fault_hook = void (*)(const fault&) noexcept;

/// For SIGSEGV and SIGBUS, by which a stack that has run over is noticed; `all`: for SIGFPE, SIGILL and SIGABRT too.
void install_fault_hook(fault_hook hook, bool all) noexcept;
/// Restores the handlers there were, unless somebody has replaced ours meanwhile.
void remove_fault_hook() noexcept;
/// In a process that has only one thing left to do: fatal signals end it.
void reset_faults() noexcept;

/// As if a call to nowhere had just returned: for the unwinder, which knows no function at `f.pc`. Reads the stack. The
/// destructor puts things back.
class returned_from_nowhere {
public:
    explicit returned_from_nowhere(const fault& f) noexcept;
    ~returned_from_nowhere();
    returned_from_nowhere(const returned_from_nowhere&) = delete;
    returned_from_nowhere& operator=(const returned_from_nowhere&) = delete;

private:
    const fault& fault_;
};

/// Called on SIGQUIT, in the signal handler. False: the signal is to do what it does by default, which ends the process.
using quit_hook = bool (*)() noexcept;

/// Does nothing when the program has a handler of its own, or ignores the signal.
void install_quit_hook(quit_hook hook) noexcept;
/// Restores the default action, unless somebody has replaced our handler meanwhile.
void remove_quit_hook() noexcept;
/// SIGQUIT as it is without a hook: ends the process.
void quit_by_default() noexcept;

}  // namespace weft::detail
