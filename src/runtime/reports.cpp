#include "runtime/reports.hpp"

#include "base/print.hpp"
#include "os/memory.hpp"
#include "report/dump.hpp"
#include "report/symbols.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"
#include "stack/segment.hpp"

#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <string>
#include <typeinfo>

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

void report_uncaught(coroutine& c) noexcept {
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
        std::terminate();  // Here, so that a terminate handler finds the exception.
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        out << (type == nullptr ? std::string("unknown") : demangled(type->name())) << "\n";
        out.flush();
        std::terminate();
    }
    std::terminate();
}

void report_stack_overflow(std::uintptr_t address) noexcept {
    // A split stack grows; only code that does not check gets to the guard below a large segment.
    if (const coroutine* const c = this_coroutine(); c != nullptr && c->stack.get().is_split()) {
        const segment& newest = *c->stack.get().newest();
        const auto base = reinterpret_cast<std::uintptr_t>(newest.base());
        if (newest.size_class >= class_large && address < base && base - address <= page_size) {
            report_overflow_of(c, newest.size(), "in code that is not compiled for split stacks");
        }
    }
    const stack_hit hit = sched.stacks.find(address);
    if (!hit.stack || !hit.in_guard) return;
    printer out;
    out << "weft: stack overflow in ";
    const coroutine* const c = this_coroutine();
    if (c != nullptr) {
        print_coroutine(out, *c);
    } else {
        out << "a blocking call";
    }
    out << " (limit ";
    out.bytes(hit.stack.size());
    out << ")";
    if (c != nullptr) {
        out << ", ";
        print_origin(out, c->created_at());
    }
    out << "\n";
    out.flush();
    std::abort();
}

void report_current() noexcept {
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
