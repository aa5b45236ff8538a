// What a coroutine says of itself: id, name, affinity, preemption, cancellation, its thread.
#include <weft/go.hpp>

#include "sched/cancel.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"

#include <cstdint>
#include <mutex>

namespace weft::detail {

void unlock_thread(coroutine& self, coroutine_extras& extras) noexcept {
    extras.lock_depth = 0;
    this_machine()->locked = nullptr;
    extras.locked_to = nullptr;
    self.traits = self.traits & static_cast<std::uint8_t>(~trait_locked);
}

std::stop_token own_stop_token(coroutine& self) {
    coroutine_extras& extras = extras_of(self);
    if (!extras.stop.stop_possible()) {
        std::stop_source fresh;
        const std::lock_guard hold(extras.lock);
        extras.stop = std::move(fresh);
    }
    // Either request_cancel() sees the source, or we see its bit (both look under or behind the lock).
    if ((self.attention.load(std::memory_order_seq_cst) & attention_cancel) != 0) {
        request_stop_of(extras.stop);
    }
    return extras.stop.get_token();
}

}  // namespace weft::detail

namespace weft {

using namespace detail;

id get_id() noexcept {
    const coroutine* const self = this_coroutine();
    return self == nullptr ? id() : make_id(self->id);
}

void set_name(std::string_view name) {
    if (coroutine* const self = this_coroutine()) set_coroutine_name(*self, name);
}

std::string_view get_name() noexcept {
    coroutine* const self = this_coroutine();
    // Only the coroutine itself writes its name, once it runs.
    const coroutine_extras* const extras = self == nullptr ? nullptr : peek_extras(*self);
    return extras == nullptr ? std::string_view() : std::string_view(extras->name.data());
}

void set_affinity_hint(unsigned wanted) noexcept {
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    const std::uint8_t others = self->traits & static_cast<std::uint8_t>(~trait_affinity);
    if (wanted < sched.processor_count) {
        self->affinity = static_cast<std::int16_t>(wanted);
        self->traits = static_cast<std::uint8_t>(others | trait_affinity);
    } else if (wanted == static_cast<unsigned>(no_affinity)) {
        self->traits = others;
    }
}

no_preempt::no_preempt() noexcept {
    if (coroutine* const self = this_coroutine()) ++self->no_preempt_depth;
}
no_preempt::~no_preempt() {
    if (coroutine* const self = this_coroutine()) --self->no_preempt_depth;
}

no_cancel::no_cancel() noexcept {
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    if (self->no_cancel == no_cancel_full) [[unlikely]] {
        ++extras_of(*self).no_cancel_beyond;
    } else {
        self->no_cancel = static_cast<std::uint8_t>(self->no_cancel + 1);
    }
}
no_cancel::~no_cancel() {
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    if (self->no_cancel == no_cancel_full) [[unlikely]] {
        coroutine_extras* const extras = peek_extras(*self);
        if (extras != nullptr && extras->no_cancel_beyond != 0) {
            --extras->no_cancel_beyond;
            return;
        }
    }
    self->no_cancel = static_cast<std::uint8_t>(self->no_cancel - 1);
}

thread_lock::thread_lock() {
    coroutine* const self = this_coroutine();
    if (self == nullptr || simulated()) return;
    coroutine_extras& extras = extras_of(*self);
    if (extras.lock_depth++ != 0) return;
    machine& m = *this_machine();
    extras.locked_to = &m;
    m.locked = self;
    self->mark(trait_locked);
}

thread_lock::~thread_lock() {
    coroutine* const self = this_coroutine();
    if (self == nullptr || simulated()) return;
    coroutine_extras& extras = *peek_extras(*self);
    if (--extras.lock_depth == 0) unlock_thread(*self, extras);
}

}  // namespace weft
