// A coroutine's body and its end.
#include <weft/exceptions.hpp>

#include "base/assert.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "os/fence.hpp"
#include "sched/collector.hpp"
#include "sched/extras.hpp"
#include "sched/identity.hpp"
#include "sched/join_watch.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/split_stack.hpp"
#include "sched/switch.hpp"
#include "sched/unclaimed.hpp"
#include "stack/thrown.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <string_view>

namespace weft::detail {

void drop_result(coroutine& c) noexcept {
    if (c.flags.result == outcome::value && c.type->drop_result != nullptr) {
        call_user(c.type->drop_result, c.frame_address());
    }
    c.flags.result = outcome::none;
}

namespace {

// In the catch clause: the exception is being handled. In a scope it reaches the scope.
void keep_error(coroutine& self, const std::exception* e) {
    std::exception_ptr& error = extras_of(self).error;
    error = std::current_exception();
    if (sched.env.throw_stack) static_cast<void>(name_throw(error));  // And drops an older one.
    if (self.scope != nullptr || self.join.load(std::memory_order_relaxed) == join_detached) return;
    note_unclaimed(self, e);
}

}  // namespace

WEFT_NOIPA std::uintptr_t run_task(coroutine& self) noexcept {
    WEFT_CALLS("scope_failure");
    WEFT_CALLS("uncaught");
    outcome result = outcome::value;
    try {
        if (sched.env.throw_stack) [[unlikely]] {
            weft_call_noting_throws(self.type->run, self.frame_address());
        } else {
            call_user(self.type->run, self.frame_address());
        }
    } catch (const cancelled&) {
        result = outcome::cancelled;
        if (sched.env.throw_stack) forget_throw();
    } catch (const std::exception& e) {
        result = outcome::exception;
        keep_error(self, &e);
    } catch (...) {
        result = outcome::exception;
        keep_error(self, nullptr);
    }
    self.flags.result = result;
    // The result lies where the joiner will find it, who may be somebody that the collector is done with.
    if (is_marking()) [[unlikely]]
        shade_words(self.frame_address(), self.type->size);
    if (coroutine_extras* const extras = peek_extras(self)) {
        extras->locals.clear();
        if (extras->lock_depth != 0) unlock_thread(self, *extras);  // A lock that outlives it.
    }

    // What is left of the program's code runs here, where it may still park: the scope hears of a failure, and
    // what nobody will join is destroyed.
    if (result == outcome::exception && self.scope != nullptr) sched.hooks.scope_failure(self);
    for (std::uintptr_t seen = self.join.load(std::memory_order_acquire);;) {
        if (seen == join_detached) break;
        // Whoever joins or detaches from here on waits for join_done, and sees to the result itself.
        if (self.join.compare_exchange_weak(seen, join_finishing, std::memory_order_acq_rel)) {
            end_watch(seen, true);
            return is_watched(seen) ? join_none : seen;
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

[[gnu::noinline]] void report_overflow_of(const coroutine* c, std::size_t limit,
                                          std::string_view what) noexcept {
    WEFT_DEEP;
    printer out;
    out << "weft: stack overflow in ";
    if (c != nullptr) {
        print_coroutine(out, *c);
    } else {
        out << "coroutine (in a blocking call)";
    }
    out << " (limit ";
    out.bytes(limit);
    out << ")";
    if (c != nullptr) {
        out << ", ";
        print_origin(out, c->created_at());
    }
    if (!what.empty()) out << "; " << what;
    out << "\n";
    out.flush();
    abort_told();
}

[[gnu::noinline]] void report_park_with_lock(const coroutine& self) noexcept {
    WEFT_DEEP;
    static std::atomic<int> left{10};
    if (left.fetch_sub(1, std::memory_order_relaxed) <= 0) return;
    printer out;
    out << "weft: ";
    print_coroutine(out, self);
    out << ", ";
    print_origin(out, self.created_at());
    out << ", waits while it holds a lock of the thread library (a std::mutex?): others of its "
           "thread may block on it; use weft::mutex\n";
    out.flush();
}

[[gnu::noinline]] void report_no_stack(const coroutine& c) noexcept {
    WEFT_DEEP;
    printer out;
    out << "weft: no memory for the stack of coroutine " << c.id.get() << ": ";
    out.bytes(sched.stacks.bytes_in_use());
    out << " of address space in stacks, ";
    out.bytes(sched.segments.bytes_out());
    out << " in segments of split ones\n";
    out.flush();
    abort_told();
}

[[gnu::noinline]] void report_canary(stack_ref stack) noexcept {
    WEFT_DEEP;
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

WEFT_NOIPA void retire(machine& m, coroutine& self, std::uintptr_t met) noexcept {
    WEFT_CALLS("scope_end");
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
