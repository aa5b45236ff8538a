// Signals: noticing that a stack has run over, and being asked what is going on.
#pragma once

#include <cstddef>
#include <cstdint>

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

/// Called on the alternate stack with the faulting address, on SIGSEGV and SIGBUS. If it returns, the handler
/// that was there before has its turn.
using fault_hook = void (*)(std::uintptr_t address) noexcept;

void install_fault_hook(fault_hook hook) noexcept;
/// Restores the handlers there were, unless somebody has replaced ours meanwhile.
void remove_fault_hook() noexcept;

/// Called on SIGQUIT, in the signal handler. False: the signal is to do what it does by default, which ends the process.
using quit_hook = bool (*)() noexcept;

/// Does nothing when the program has a handler of its own, or ignores the signal.
void install_quit_hook(quit_hook hook) noexcept;
/// Restores the default action, unless somebody has replaced our handler meanwhile.
void remove_quit_hook() noexcept;
/// SIGQUIT as it is without a hook: ends the process.
void quit_by_default() noexcept;

}  // namespace weft::detail
