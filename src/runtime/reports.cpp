#include "runtime/reports.hpp"

#include "base/assert.hpp"
#include "base/config.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/signal.hpp"
#include "report/crash.hpp"
#include "report/dump.hpp"
#include "report/symbols.hpp"
#include "sched/extras.hpp"
#include "sched/identity.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"

#include <atomic>
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <string>
#include <typeinfo>

// Defined where the program is instrumented, whatever weft is.
extern "C" {
[[gnu::weak]] void __asan_init();
[[gnu::weak]] void __tsan_init();
}

namespace weft::detail {
namespace {

void print_line(printer& out, const coroutine& c, co_state state) noexcept {
    out << "  ";
    print_coroutine(out, c);
    switch (state) {
    case co_state::runnable:
        out << ", runnable, ";
        break;
    case co_state::running:
        out << ((c.traits & trait_blocking) != 0 ? ", in a blocking call, " : ", running, ");
        break;
    default: {
        const wait_kind kind = c.kind();
        if ((c.traits & trait_blocking) != 0) {
            out << ", in a blocking call, ";
        } else if (kind == wait_kind::other) {
            out << ", parked, ";
        } else {
            out << ", waits for " << std::string_view(name_of(kind)) << ", ";
        }
    }
    }
    print_origin(out, c.created_at());
    out << "\n";
}

template <class F>
void for_each_alive(const coroutine* except, F&& f) {
    sched.coroutines.for_each([&](coroutine& c) {
        const co_state state = c.state.load(std::memory_order_acquire);
        if (state != co_state::dead && &c != except) f(c, state);
    });
}

}  // namespace

void warn_of_sanitizers() noexcept {
    if constexpr (asan_build || tsan_build) return;
    static std::atomic<bool> warned{false};
    const bool address = __asan_init != nullptr;
    if ((!address && __tsan_init == nullptr) || warned.exchange(true)) return;
    printer out;
    out << "weft: this program is built with " << (address ? "AddressSanitizer" : "ThreadSanitizer")
        << " and its weft is not, so coroutines get reports of errors that are none; link a weft "
           "that is built with "
           "-DWEFT_SANITIZE="
        << (address ? "address" : "thread") << "\n";
    out.flush();
}

void install_crash_reports() noexcept {
    install_fault_hook(sched.env.crash ? &report_fault : &report_overflow_only, sched.env.crash);
    set_evidence_hook(&report_current);
    // By way of its name: with split stacks that is an entry into the runtime, on the scheduler stack.
    if (sched.env.crash) terminate_before = std::set_terminate(&on_terminate);
}

void remove_crash_reports() noexcept {
    // The program may have installed another meanwhile, which then stays.
    if (std::get_terminate() == &on_terminate) std::set_terminate(terminate_before);
    set_evidence_hook(nullptr);
    remove_fault_hook();
}

[[gnu::noinline]] void report_uncaught(coroutine& c) noexcept {
    WEFT_DEEP;
    WEFT_CALLED_AS("uncaught");
    tell_of_death(death_told::all);
    printer out;
    out << "weft: uncaught exception in ";
    print_coroutine(out, c);
    out << ", ";
    print_origin(out, c.created_at());
    out << ": ";
    coroutine_extras* const extras = peek_extras(c);
    try {
        if (extras != nullptr && extras->error) std::rethrow_exception(extras->error);
        out << "already taken\n";
        out.flush();
    } catch (const std::exception& e) {
        out << demangled(typeid(e).name()) << ": " << std::string_view(e.what()) << "\n";
        out.flush();
        write_throw(extras->error);
        std::terminate();  // Here, so that a terminate handler finds the exception.
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        out << (type == nullptr ? std::string("unknown") : demangled(type->name())) << "\n";
        out.flush();
        write_throw(extras->error);
        std::terminate();
    }
    std::terminate();
}

void report_current() noexcept {
    WEFT_CALLED_AS("evidence");
    const coroutine* const c = this_coroutine();
    if (c == nullptr) return;
    printer out;
    out << "weft: in ";
    print_coroutine(out, *c);
    out << ", ";
    print_origin(out, c->created_at());
    out << "\n";
    out.flush();
}

void report_left(const coroutine* except, std::int64_t waited_ns) {
    printer out;
    out << "weft: stopping: these coroutines have not ended " << waited_ns / 1'000'000
        << " ms after they were cancelled:\n";
    out.flush();
    for_each_alive(except, [&](coroutine& c, co_state state) {
        print_line(out, c, state);
        out.flush();
        const coroutine_extras* const extras = peek_extras(c);
        if ((c.traits & trait_blocking) != 0) {
            out << "    its blocking call can't be interrupted\n";
        } else if (extras != nullptr && extras->swallowed > 1) {
            out << "    it swallows weft::cancelled\n";
        } else if (state == co_state::running) {
            out << "    it runs without a cancellation point; see weft::checkpoint()\n";
        } else if (c.no_cancel != 0) {
            out << "    it waits inside weft::no_cancel\n";
        }
        out.flush();
    });
}

}  // namespace weft::detail
