// A coroutine's body and its end.
#include <weft/exceptions.hpp>

#include "base/assert.hpp"
#include "base/print.hpp"
#include "os/fence.hpp"
#include "sched/extras.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/split_stack.hpp"
#include "sched/switch.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string_view>

namespace weft::detail {

void drop_result(coroutine& c) noexcept {
    if (c.flags.result == outcome::value && c.type->drop_result != nullptr) {
        call_user(c.type->drop_result, c.frame_address());
    }
    c.flags.result = outcome::none;
}

std::uintptr_t run_task(coroutine& self) noexcept {
    outcome result = outcome::value;
    try {
        call_user(self.type->run, self.frame_address());
    } catch (const cancelled&) {
        result = outcome::cancelled;
    } catch (...) {
        result = outcome::exception;
        extras_of(self).error = std::current_exception();
    }
    self.flags.result = result;
    if (coroutine_extras* const extras = peek_extras(self)) extras->locals.clear();

    // What is left of the program's code runs here, where it may still park: the scope hears of a failure, and
    // what nobody will join is destroyed.
    if (result == outcome::exception && self.scope != nullptr) sched.hooks.scope_failure(self);
    for (std::uintptr_t seen = self.join.load(std::memory_order_acquire);;) {
        if (seen == join_detached) break;
        // Whoever joins or detaches from here on waits for join_done, and sees to the result itself.
        if (self.join.compare_exchange_weak(seen, join_finishing, std::memory_order_acq_rel)) {
            return seen;
        }
    }
    if (result != outcome::exception) {
        drop_result(self);
    } else if (self.scope == nullptr) {
        sched.hooks.uncaught(self);
    } else {
        peek_extras(self)->error = nullptr;
    }
    return join_detached;
}

void report_overflow_of(const coroutine* c, std::size_t limit, std::string_view what) noexcept {
    printer out;
    out << "weft: stack overflow in coroutine ";
    if (c != nullptr) {
        std::array<char, 64> name;
        out << c->id.get();
        if (copy_name(*c, name) != 0) out << " '" << std::string_view(name.data()) << "'";
    } else {
        out << "(in a blocking call)";
    }
    out << " (limit ";
    out.bytes(limit);
    out << ")";
    if (c != nullptr) out << ", created at " << std::string_view(c->file.get()) << ":" << c->line();
    if (!what.empty()) out << "; " << what;
    out << "\n";
    out.flush();
    std::abort();
}

void report_park_with_lock(const coroutine& self) noexcept {
    static std::atomic<int> left{10};
    if (left.fetch_sub(1, std::memory_order_relaxed) <= 0) return;
    std::array<char, 64> name;
    printer out;
    out << "weft: coroutine " << self.id.get();
    if (copy_name(self, name) != 0) out << " '" << std::string_view(name.data()) << "'";
    out << ", created at " << std::string_view(self.file.get()) << ":" << self.line()
        << ", waits while it holds a lock of the thread library (a std::mutex?): others of its "
           "thread "
           "may block on it; use weft::mutex\n";
    out.flush();
}

void report_no_stack(const coroutine& c) noexcept {
    printer out;
    out << "weft: no memory for the stack of coroutine " << c.id.get() << ": ";
    out.bytes(sched.stacks.bytes_in_use());
    out << " of address space in stacks, ";
    out.bytes(sched.segments.bytes_out());
    out << " in segments of split ones\n";
    out.flush();
    std::abort();
}

void report_canary(stack_ref stack) noexcept {
    report_overflow_of(this_coroutine(), stack.size(), "the lowest word of the stack was written");
}

namespace {

// `met` is what run_task() returned.
void tell_joiner(coroutine& self, std::uintptr_t met) noexcept {
    if (met == join_detached) {
        give_descriptor(self);
        return;
    }
    // The ticket lies on the joiner's stack, and stays there until it sees join_done.
    ticket joiner;
    if (met != join_none) joiner = *reinterpret_cast<const ticket*>(met);
    // release: the result is there for whoever reads join_done with acquire.
    self.join.store(join_done, std::memory_order_release);
    if (joiner.who != nullptr) fire(joiner, wake_reason::signalled);
}

}  // namespace

void retire(machine& m, coroutine& self, std::uintptr_t met) noexcept {
    m.current = nullptr;
    m.block->current.store(nullptr, std::memory_order_relaxed);
    m.block->attention.store(&no_attention, std::memory_order_relaxed);

    self.stack = stack_ref();
    self.state.store(co_state::dead, std::memory_order_release);
    // The joiner still wants the exception; all else goes now, on the processor that has it in its caches.
    if (self.flags.result != outcome::exception) drop_extras(self);
    m.p->finished.add();  // Before those who wait hear of it, and may ask stats().
    if (self.scope != nullptr) sched.hooks.scope_exit(self);
    tell_joiner(self, met);
    light_fence();  // Either draining is seen here, or the count is seen by who drains (cancel_all).
    if (sched.draining.load(std::memory_order_acquire)) note_finished();
}

}  // namespace weft::detail
