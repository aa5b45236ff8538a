#include "report/crash.hpp"

#include <weft/exceptions.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/thread.hpp"
#include "os/thread_probe.hpp"
#include "report/crash_text.hpp"
#include "report/symbols.hpp"
#include "sched/identity.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "stack/segment.hpp"
#include "stack/thrown.hpp"
#include "stack/unwind.hpp"

#include <array>
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <string_view>
#include <typeinfo>

#include <time.h>
#include <unistd.h>

namespace weft::detail {

std::terminate_handler terminate_before = nullptr;

namespace {

// The thread that writes the report, with its process: a copy made by fork() may have one of its own. 0: nobody yet.
std::atomic<std::uint64_t> reporter{0};
std::atomic<bool> written{false};

// The reporter alone uses these, for a fault inside of its report.
std::jmp_buf recovery;
volatile bool recovers = false;
stack_ends trace;

constexpr stack_style overflow_style{.inner = 10, .outer = 5, .hide_inner = true};
constexpr std::uintptr_t near_sp = std::uintptr_t{64} * 1024;
constexpr std::int64_t patience_ms =
    20'000;  // More than the two copies that look for names may take.

std::uint64_t this_reporter() noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(::getpid())) << 32 |
           static_cast<std::uint32_t>(this_thread_id());
}

void wait_until_written() noexcept {
    for (std::int64_t ms = 0; ms != patience_ms && !written.load(); ++ms) {
        const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
        ::nanosleep(&pause, nullptr);
    }
}

// Returns true if the caller is to write the report. Returns false after another thread has written it, and when a fault
// inside of the caller's own report has led back here.
bool begin_report() noexcept {
    const std::uint64_t self = this_reporter();
    std::uint64_t first = 0;
    if (reporter.compare_exchange_strong(first, self)) return true;
    if (first >> 32 != self >> 32) {  // Inherited from the process that has forked us.
        if (!reporter.compare_exchange_strong(first, self)) return false;
        written.store(false);
        recovers = false;
        return true;
    }
    if (first != self) {
        wait_until_written();
    } else if (recovers) {
        recovers = false;
        std::longjmp(recovery, 1);  // NOLINT(cert-err52-cpp): out of a signal handler.
    }
    return false;
}

void end_report() noexcept {
    tell_of_death(death_told::all);
    written.store(true);
}

// f(), and false if there was a fault in it. f keeps nothing that has to be destroyed.
template <class F>
[[gnu::noinline]] bool survives(F f) noexcept {
    // NOLINTNEXTLINE(cert-err52-cpp): what comes back from a signal handler can't be an exception.
    if (_setjmp(recovery) != 0) return false;
    recovers = true;
    f();
    recovers = false;
    return true;
}

void print_with_origin(printer& out, const coroutine& c) noexcept {
    print_coroutine_at_once(out, c);
    out << ", ";
    print_origin(out, c.created_at());
}

void print_place(printer& out) noexcept {
    if (const coroutine* const c = this_coroutine()) {
        out << "in ";
        print_with_origin(out, *c);
        return;
    }
    const thread_block& block = *this_thread_block();
    const bool of_runtime = block.owner.load(std::memory_order_relaxed) != nullptr;
    if (const coroutine* const c = block.caller.load(std::memory_order_relaxed);
        c != nullptr && !of_runtime) {
        out << "in a blocking call of ";
        print_with_origin(out, *c);
        return;
    }
    const std::array<char, 16> name = name_of_this_thread();
    const std::string_view shown(name.data());
    if (of_runtime || shown.starts_with("weft-")) {
        out << "in weft's own code, on thread '" << shown << "'";
    } else if (this_thread_id() == ::getpid()) {
        out << "in the main thread, in no coroutine";
    } else {
        out << "in thread " << this_thread_id() << " '" << shown << "', which is none of weft's";
    }
}

// The stack that `f` has run over: the one that it was on, and not one that it has only pointed at. False: none.
bool is_overflow(const fault& f, stack_ref& stack) noexcept {
    if (f.sent) return false;
    const stack_hit hit = sched.stacks.find(f.address);
    if (!hit.stack || !hit.in_guard) return false;
    stack = hit.stack;
    if (f.sp == 0) return true;
    const auto base = reinterpret_cast<std::uintptr_t>(hit.stack.base());
    // A frame that is larger than what is left has its end in the guard already, or below.
    const std::uintptr_t low = base - stack_store::guard_size(hit.stack.log2_size());
    return f.sp >= low && f.sp < base + hit.stack.size();
}

// A split stack grows; only code that does not check gets to the guard below a large segment.
const segment* run_over_segment(const fault& f) noexcept {
    const coroutine* const c = this_coroutine();
    if (f.sent || c == nullptr || !c->stack.get().is_split()) return nullptr;
    const segment* const newest = c->stack.get().newest();
    const auto base = reinterpret_cast<std::uintptr_t>(newest->base());
    const bool below =
        newest->size_class >= class_large && f.address < base && base - f.address <= page_size;
    return below ? newest : nullptr;
}

bool print_overflow(printer& out, const fault& f) noexcept {
    stack_ref stack;
    const segment* const split = run_over_segment(f);
    if (split == nullptr && !is_overflow(f, stack)) return false;
    out << "weft: stack overflow in ";
    const coroutine* const c = this_coroutine();
    if (c != nullptr) {
        print_coroutine_at_once(out, *c);
    } else {
        out << "a blocking call";
    }
    out << " (limit ";
    out.bytes(split != nullptr ? split->size() : stack.size());
    out << ")";
    if (c != nullptr) {
        out << ", ";
        print_origin(out, c->created_at());
    } else if (const coroutine* const caller = this_thread_block()->caller) {
        out << " of ";
        print_with_origin(out, *caller);
    }
    if (split != nullptr) out << "; in code that is not compiled for split stacks";
    out << "\n";
    return true;
}

// A thread's own stack has a guard as well, of which only the thread library knows. It is noticed on threads with an alternate
// stack, as those of blocking calls.
bool is_near_sp(const fault& f) noexcept {
    return f.signal == SIGSEGV && !f.sent && f.address + near_sp > f.sp &&
           f.address < f.sp + near_sp;
}

void print_signal(printer& out, const fault& f) noexcept {
    out << "weft: " << name_of_signal(f.signal);
    if (f.sent) {
        if (f.sender != ::getpid()) out << " sent by process " << std::int64_t{f.sender};
    } else if (f.signal == SIGSEGV && f.address == 0 && f.from_kernel) {
        out << " at an address that is none (not canonical)";
    } else {
        out << " at ";
        out.hex(f.address);
        if (sched.stacks.find(f.address).in_guard) {
            out << " (the guard of another stack)";
        } else if (is_near_sp(f)) {
            out << " (has the thread's stack run over?)";
        } else if (const std::string_view reason = reason_of(f); !reason.empty()) {
            out << " (" << reason << ")";
        }
    }
    out << " ";
    print_place(out);
    out << "\n";
}

void write_interrupted(const fault& f, const stack_style& style) noexcept {
    trace.count = 0;
    const bool whole = survives([&] {
        if (f.pc == 0 || f.sent || knows_function_at(f.pc)) {
            if (f.pc != 0 || f.sent) {
                unwind_ends_interrupted(trace);
                return;
            }
        }
        // A call to nowhere: its caller is what the stack says next.
        const returned_from_nowhere caller(f);
        unwind_ends_interrupted(trace);
    });
    write_stack(trace, style);
    if (!whole) {
        printer out;
        out << "weft: the stack is damaged beyond that\n";
        out.flush();
    }
}

// The program's code, on the stack that we are on: one with room.
WEFT_NOIPA void print_what(printer& out) noexcept {
    WEFT_CALLS_NOTHING;
    try {
        throw;
    } catch (const std::exception& e) {
        out << ": " << std::string_view(e.what());
    } catch (...) {}
}

// With split stacks, an exception may have come this far on the scheduler stack, and be in the program's mode already: the
// prologues of a terminate handler would look for room by the limit of a segment. And what the copy of the process calls
// must not go to the scheduler stack, where those lie who have called us. There is no way back from here, so it stays so.
void stay_on_this_stack() noexcept {
    if (!weft_splits_stacks()) return;
    thread_block& block = *this_thread_block();
    block.limit.store(0, std::memory_order_relaxed);
    block.call_limit.store(0, std::memory_order_relaxed);
    this_stack_limit()->store(0, std::memory_order_relaxed);
    block.scheduler_sp.store(nullptr, std::memory_order_relaxed);
}

WEFT_NOIPA void call_terminate_before() noexcept {
    WEFT_CALLS_NOTHING;
    terminate_before();
}

void print_exception(printer& out, bool& is_cancelled) noexcept {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    if (type == nullptr) {
        // After destructors have run, a noexcept function calls std::terminate without making the exception the current one.
        out << (std::uncaught_exceptions() == 0 ? ", without an exception"
                                                : " while an exception was on its way: it came to "
                                                  "a function that is noexcept, or a "
                                                  "destructor called std::terminate");
        return;
    }
    is_cancelled = *type == typeid(cancelled);
    const char* const name = demangled_for_good(type->name());
    out << ": " << std::string_view(name == nullptr ? type->name() : name);
    static_cast<void>(survives([&out] { print_what(out); }));
}

}  // namespace

void report_overflow_only(const fault& f) noexcept {
    printer out;
    if (!print_overflow(out, f) || !begin_report()) return;
    out.flush();
    write_interrupted(f, overflow_style);
    end_report();
    std::abort();
}

void report_fault(const fault& f) noexcept {
    const death_told told = told_of_death();
    if (f.signal == SIGABRT && told == death_told::all) return;
    if (!begin_report()) return;
    const bool is_told = f.signal == SIGABRT && told == death_told::reason;
    bool overflow = false;
    if (!is_told) {
        static_cast<void>(survives([&] {
            printer out;
            overflow = print_overflow(out, f);
            if (!overflow) print_signal(out, f);
            out.flush();
        }));
    }
    stack_style style;
    if (overflow || is_near_sp(f)) style = overflow_style;
    if (is_told) style = overflow_style;  // Mostly it is one that was noticed by a look.
    if (f.sent) style.after = {"abort", "raise"};
    write_interrupted(f, style);
    end_report();
    if (overflow) std::abort();
}

void write_throw(const std::exception_ptr& e) noexcept {
    stack_ends thrown;
    if (!sched.env.throw_stack || !find_throw(e, thrown)) return;
    stay_on_this_stack();
    printer out;
    out << "weft: thrown here:\n";
    out.flush();
    write_stack(thrown, {.after = {"__cxa_throw", "__cxa_rethrow",
                                   "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE"},
                         .hide_inner = true});
}

namespace {

void report_terminate() noexcept {
    if (told_of_death() != death_told::nothing || !begin_report()) return;
    bool is_cancelled = false;
    {
        printer out;
        out << "weft: std::terminate ";
        print_place(out);
        print_exception(out, is_cancelled);
        out << "\n";
        if (is_cancelled) {
            out << "weft: weft::cancelled ends a coroutine that was asked to stop, and must be let "
                   "through: here it came "
                   "to a function that is noexcept, as destructors are; wait there under "
                   "weft::no_cancel\n";
        }
        out.flush();
    }
    trace.count = 0;
    const bool whole = survives([] { unwind_ends_here(trace); });
    write_stack(trace,
                {.after = {"__cxa_throw", "__cxa_rethrow", "_ZSt9terminatev"}, .hide_inner = true});
    if (!whole) {
        printer out;
        out << "weft: the stack is damaged beyond that\n";
        out.flush();
    }
    write_throw(std::current_exception());
    end_report();
}

}  // namespace

[[gnu::noinline]] void on_terminate() noexcept {
    WEFT_DEEP;
    stay_on_this_stack();
    report_terminate();
    if (terminate_before != nullptr) call_terminate_before();
    std::abort();
}

}  // namespace weft::detail
