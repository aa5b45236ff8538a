#include "gc/handshake.hpp"

#include "arch/cpu.hpp"
#include "base/assert.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"
#include "gc/pauses.hpp"
#include "gc/stacks.hpp"
#include "os/clock.hpp"
#include "os/fence.hpp"
#include "sched/blocking.hpp"
#include "sched/collector.hpp"
#include "sched/idle.hpp"
#include "sched/machine.hpp"
#include "sched/preempt.hpp"
#include "sched/scheduler.hpp"
#include "stack/segment.hpp"

#include <mutex>
#include <thread>

extern "C" {
extern const char __start_weft_split_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_weft_split_text[] __attribute__((weak, visibility("hidden")));
}

namespace weft::detail {
namespace {

constexpr std::int64_t nudge_after = 100'000;
constexpr std::int64_t nudge_again = 200'000;
constexpr std::int64_t name_after = 1'000'000'000;

// What the mutator has done, and what the processor must do from here on.
void answered(processor& p, const gc_request& asked) noexcept {
    if (asked.marking) p.look_at = 0;
    // release: the collector reads what was handed over.
    p.answered.store(asked.number, std::memory_order_release);
}

// False: there is no memory for a mutator of a processor that has just been added. It may come.
bool act_for(processor& p, const gc_request& asked) noexcept {
    gc_mutator* const m = mutator_of(p);
    if (m == nullptr) return false;
    obey(*m, asked);
    answered(p, asked);
    return true;
}

void stamp(coroutine& c, std::uint8_t round) noexcept {
    c.scan_stamp.store(round, std::memory_order_release);
}

// One request's way round the processors.
class rounds {
public:
    explicit rounds(const gc_request& asked) noexcept : asked_(asked) {}

    // Whether all have answered.
    [[nodiscard]] bool ask_all() noexcept {
        bool all = true;
        waited_ = monotonic_ns() - began_;
        // ThreadSanitizer calls handlers when it pleases, with the registers of some time before.
        const bool nudges = !tsan_build && waited_ >= next_nudge_;
        if (nudges) next_nudge_ = waited_ + nudge_again;
        for (processor* const p : sched.all_processors()) {
            // acquire: what was handed over is seen.
            if (p->answered.load(std::memory_order_acquire) == asked_.number) continue;
            if (!ask(*p, nudges)) all = false;
        }
        for_each_attached([&](gc_mutator& m) {
            if (m.answered.load(std::memory_order_acquire) == asked_.number) return;
            all = false;
            if (first_) m.block->collector.store(1, std::memory_order_release);
            if (!nudges) return;
            nudge(m.thread_id);
            if (waited_ >= name_after && !named_) name(m.thread_id);
        });
        first_ = false;
        return all;
    }

    void pause() const noexcept {
        if (waited_ < 20'000) {
            std::this_thread::yield();
        } else {
            std::this_thread::sleep_for(std::chrono::microseconds(waited_ < 1'000'000 ? 20 : 200));
        }
    }

private:
    // False: it has yet to answer.
    bool ask(processor& p, bool nudges) noexcept {
        {
            const std::lock_guard hold(sched.idle_lock);
            if (p.idle || p.spare) return act_for(p, asked_);
        }
        if (const std::uint64_t call = p.call.load(std::memory_order_acquire); call != 0) {
            if (!take_from_call(p, call)) return false;
            const bool done = act_for(p, asked_);
            offer_processor(p);
            return done;
        }
        // A machine that ends waits for those who visit.
        const foreign_visit visit;
        if (!visit) return false;
        machine* const m = p.holder.load(std::memory_order_relaxed);
        if (m == nullptr) return false;  // On its way to a machine, which will compare numbers.
        thread_block* const block = m->shared_block.load(std::memory_order_acquire);
        if (block == nullptr) return false;
        if (block->collector.load(std::memory_order_relaxed) == 0) {
            // release: who takes it back sees the request.
            block->collector.store(1, std::memory_order_release);
            if (sched.has_split_stacks.load(std::memory_order_relaxed)) poison(*m);
        }
        if (nudges) {
            const int id = m->thread_id.load(std::memory_order_relaxed);
            nudge(id);
            if (waited_ >= name_after && !named_) name(id);
        }
        return false;
    }

    void name(int id) noexcept {
        named_ = true;
        printer out;
        out << "weft: the garbage collector waits for thread " << id
            << ", which has not responded to SIGURG for 1 s: does it block signals?\n";
        out.flush();
    }

    const gc_request& asked_;
    const std::int64_t began_ = monotonic_ns();
    std::int64_t waited_ = 0;
    std::int64_t next_nudge_ = nudge_after;
    bool first_ = true;
    bool named_ = false;
};

bool in_split_assembly(std::uintptr_t pc) noexcept {
    return __start_weft_split_text != nullptr &&
           pc >= reinterpret_cast<std::uintptr_t>(__start_weft_split_text) &&
           pc < reinterpret_cast<std::uintptr_t>(__stop_weft_split_text);
}

const void* below_red_zone(const interrupted& where) noexcept {
    return reinterpret_cast<const void*>(where.sp - interrupted::red_zone);
}

// From where on `c`'s newest stack may be in use; null where the interrupted code has changed, or is changing, what stack
// the thread is on.
//
// On a split stack the runtime and other libraries run in one of two places. On the newest segment: then that is in use from the
// stack pointer on, as with a reserved stack. Or on the thread's own stack, below the scheduler's frames, where there is room:
// then nobody knows from where on the segment is in use, so all of it is read, and what lies on the other stack as well.
const void* stack_in_use(gc_mutator& mutator, const coroutine& c, const thread_block& block,
                         const interrupted& where) noexcept {
    const stack_ref stack = c.stack;
    if (!stack) return nullptr;
    if (stack.is_reserved()) {
        const auto base = reinterpret_cast<std::uintptr_t>(stack.base()) +
                          stack_store::guard_size(stack.log2_size());
        const bool here = where.sp >= base + interrupted::red_zone &&
                          where.sp <= reinterpret_cast<std::uintptr_t>(stack.top());
        return here ? below_red_zone(where) : nullptr;
    }
    if (in_split_assembly(where.pc)) return nullptr;
    if (stack.newest()->holds(where.sp)) return below_red_zone(where);
    const std::uintptr_t high = block.stack_high.load(std::memory_order_relaxed);
    if (where.sp < block.stack_low.load(std::memory_order_relaxed) || where.sp >= high) {
        return nullptr;
    }
    note_words(mutator, below_red_zone(where), reinterpret_cast<const void*>(high));
    return stack.newest()->base();
}

void note_registers(gc_mutator& mutator, const interrupted& where) noexcept {
    note_words(mutator, where.registers.data(), where.registers.data() + where.registers.size());
    note_words(mutator, where.vectors.data(), where.vectors.data() + where.vectors.size());
}

// A machine's thread, in the midst of a coroutine.
void answer_as_machine(thread_block& block, const interrupted& where) noexcept {
    machine* const m = block.owner.load(std::memory_order_relaxed);
    coroutine* const c = block.current.load(std::memory_order_relaxed);
    if (m == nullptr || c == nullptr) return;
    processor* const p = m->p;
    if (p == nullptr || p->holder.load(std::memory_order_relaxed) != m) return;
    const gc_request asked = last_request();
    if (p->answered.load(std::memory_order_relaxed) == asked.number) return;
    gc_mutator* const mutator = p->mutator.load(std::memory_order_acquire);
    if (mutator == nullptr || c->state.load(std::memory_order_relaxed) != co_state::running) return;
    const void* const sp = stack_in_use(*mutator, *c, block, where);
    if (sp == nullptr) return;
    const pause_section pause;
    show_heap(block, *p);
    if (asked.round != 0) {
        note_registers(*mutator, where);
        if (const saved_registers* const saved = block.registers.load(std::memory_order_relaxed)) {
            note_words(*mutator, saved, saved + 1);
        }
        if (!read_own_stack(*mutator, *c, sp)) return;
        stamp(*c, asked.round);
    }
    block.collector.store(0, std::memory_order_relaxed);
    obey(*mutator, asked);
    answered(*p, asked);
}

void answer_as_attached(gc_mutator& mutator, thread_block& block,
                        const interrupted& where) noexcept {
    const gc_request asked = last_request();
    if (mutator.answered.load(std::memory_order_relaxed) == asked.number ||
        where.sp < mutator.stack_low || where.sp > mutator.stack_high) {
        return;
    }
    const pause_section pause;
    block.collector.store(0, std::memory_order_relaxed);
    if (asked.round != 0) {
        note_registers(mutator, where);
        note_words(mutator, below_red_zone(where),
                   reinterpret_cast<const void*>(mutator.stack_high));
    }
    obey(mutator, asked);
    mutator.answered.store(asked.number, std::memory_order_release);
}

}  // namespace

void handshake(gc_request& asked, void (*meanwhile)() noexcept) noexcept {
    publish_request(asked, [meanwhile] {
        if (meanwhile != nullptr) meanwhile();
    });
    // Its pair is the light one of who adds a processor, or takes one over: either we find the processor, or it compares with
    // this number. And whoever has read `gc_marking` before this has stored before it, too.
    heavy_fence();
    rounds round(asked);
    while (!round.ask_all()) round.pause();
}

void answer_here(machine& m, coroutine* visitor) noexcept {
    thread_block& block = *m.block.get();
    // acquire: who sees the word set sees the request.
    block.collector.exchange(0, std::memory_order_acq_rel);
    processor& p = *m.p;
    gc_mutator* const mutator = mutator_of(p);
    if (mutator == nullptr) return;  // It is asked again.
    show_heap(block, p);
    const pause_section pause;
    const gc_request asked = last_request();
    if (asked.round != 0 && visitor != nullptr) {
        if (const saved_registers* const saved = block.registers.load(std::memory_order_relaxed)) {
            note_words(*mutator, saved, saved + 1);
        }
        WEFT_CHECK(read_own_stack(*mutator, *visitor, visitor->context.get()));
        stamp(*visitor, asked.round);
    }
    obey(*mutator, asked);
    answered(p, asked);
}

[[gnu::noinline]] void answer_attached() noexcept {
    WEFT_DEEP;
    thread_block& block = *this_thread_block();
    gc_mutator* const mutator = block.mutator.load(std::memory_order_relaxed);
    if (mutator == nullptr || mutator->block != &block ||
        block.collector.load(std::memory_order_relaxed) == 0) {
        return;
    }
    const busy_section busy(block);
    // Registers that calls preserve are in this frame from here on.
    __builtin_unwind_init();
    interrupted here;
    here.sp = reinterpret_cast<std::uintptr_t>(stack_pointer());
    answer_as_attached(*mutator, block, here);
}

void answer_interrupted(const interrupted& where) noexcept {
    thread_block& block = *this_thread_block();
    if (block.gc_busy.load(std::memory_order_relaxed) != 0) return;
    if (block.owner.load(std::memory_order_relaxed) != nullptr) {
        answer_as_machine(block, where);
        return;
    }
    gc_mutator* const mutator = block.mutator.load(std::memory_order_relaxed);
    if (mutator != nullptr && mutator->block == &block) answer_as_attached(*mutator, block, where);
}

}  // namespace weft::detail
