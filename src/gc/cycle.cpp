#include "gc/cycle.hpp"

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "gc/collector.hpp"
#include "gc/handshake.hpp"
#include "gc/life/destructors.hpp"
#include "gc/life/roots.hpp"
#include "gc/life/weak.hpp"
#include "gc/mark/marker.hpp"
#include "gc/registry.hpp"
#include "gc/shade.hpp"
#include "gc/stacks.hpp"
#include "mem/carriers.hpp"
#include "os/clock.hpp"
#include "sched/collector.hpp"
#include "sched/scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace weft::detail {
namespace {

constexpr std::size_t drain_step = std::size_t{1} << 20;

constinit marker the_marker;
constinit std::atomic<void*> kept{nullptr};

// Coroutines that were on their way in or out when they were to be read.
class coroutine_list {
public:
    void push(coroutine& c) noexcept { buffer_.push(reinterpret_cast<std::uintptr_t>(&c), list_); }
    [[nodiscard]] word_chunk* take_all() noexcept {
        buffer_.flush(list_);
        return list_.take_all();
    }

private:
    word_buffer buffer_;
    chunk_list list_;
};

template <class F>
void for_each_word(word_chunk* first, F&& f) noexcept {
    for (const word_chunk* chunk = first; chunk != nullptr; chunk = chunk->next) {
        const std::uint32_t count = chunk->count;
        for (std::uint32_t i = 0; i != count; ++i) f(chunk->words[i]);
    }
    give_chunks(first);
}

// Reads those of the list, and comes again to those that it has met on their way, until none is left. They are soon where they
// go to: who enters one reads it, and then it runs.
void read_all(word_chunk* first, std::uint8_t round) noexcept {
    for (unsigned attempt = 0; first != nullptr; ++attempt) {
        if (attempt != 0) {
            if (attempt < 100) {
                std::this_thread::yield();
            } else {
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            }
        }
        coroutine_list again;
        for_each_word(first, [&](std::uintptr_t word) {
            auto& c = *reinterpret_cast<coroutine*>(word);
            if (read_from_outside(c, round, the_marker) == stack_reading::too_soon) again.push(c);
        });
        first = again.take_all();
    }
}

void read_every_coroutine(std::uint8_t round, bool all_stand = false) noexcept {
    coroutine_list again;
    sched.coroutines.for_each([&](coroutine& c) {
        if (read_from_outside(c, round, the_marker, all_stand) == stack_reading::too_soon) {
            again.push(c);
        }
    });
    read_all(again.take_all(), round);
}

void grey_word(std::uintptr_t word) noexcept { static_cast<void>(the_marker.grey(word)); }

void read_roots() noexcept {
    for_each_root(
        [](const void* pointer) { grey_word(reinterpret_cast<std::uintptr_t>(pointer)); });
    for_each_pending(
        [](const void* pointer) { grey_word(reinterpret_cast<std::uintptr_t>(pointer)); });
    for_each_carrier(
        [](void*, const void* low, const void* high) noexcept { the_marker.grey_range(low, high); },
        nullptr);
}

// What is grey, and what has been reported meanwhile.
void drain_all() noexcept {
    for (;;) {
        while (the_marker.drain(drain_step)) {}
        flush_foreign_words();
        word_chunk* const reported = gc_notes.shaded.take_all();
        if (reported == nullptr) return;
        for_each_word(reported, grey_word);
    }
}

// How many rounds there may be before the number of the first comes again, which the stacks carry that were read then.
constexpr unsigned rounds_told_apart = last_round - 2;

// A round of the next cycle would take them for read.
void forget_stamps() noexcept {
    sched.coroutines.for_each(
        [](coroutine& c) { c.scan_stamp.store(0, std::memory_order_relaxed); });
}

std::uint8_t next_round() noexcept {
    static std::uint8_t last = 0;
    last = last == last_round ? 1 : static_cast<std::uint8_t>(last + 1);
    return last;
}

// One more round. Returns whether it has found anything.
bool mark_round(gc_request& asked) noexcept {
    asked.round = next_round();
    handshake(asked);
    const std::uint64_t before = the_marker.objects();
    read_all(gc_notes.left.take_all(), asked.round);
    drain_all();
    return the_marker.objects() != before;
}

// With the answers of everybody, what was locked from weak pointers before the phase changed has been reported. Returns
// false if something has come back to life, and marking goes on.
bool decide_what_is_dead(gc_request& asked, unsigned& rounds) noexcept {
    if (!any_weak_or_destructible()) return true;
    begin_deciding();
    ++rounds;
    if (mark_round(asked) || !end_deciding()) {
        resume_marking();
        return false;
    }
    return true;
}

// The dead ones whose destructors are due are revived, with all that they reach, and weak pointers to the dead are null.
std::size_t bury() noexcept {
    clear_dead_weak();
    const std::size_t due = order_dead(the_marker);
    while (the_marker.drain(drain_step)) {}
    return due;
}

std::uint64_t allocated_at_black = 0;

void begin() noexcept {
    finish_sweep();
    the_marker.begin();
    sched.segments.keep_huge(true);
    begin_weak_marking();
}

void finish(cycle_result& result, std::int64_t began) noexcept {
    give_chunks(gc_notes.left.take_all());
    give_chunks(gc_notes.shaded.take_all());
    free_what_was_kept();
    sched.segments.keep_huge(false);
    result.objects = the_marker.objects();
    result.allocated_meanwhile = allocated_bytes() - allocated_at_black;
    result.live_bytes = the_marker.bytes() + result.allocated_meanwhile;
    result.mark_ns = monotonic_ns() - began;
}

void clean_up(cycle_result& result, std::int64_t began) noexcept {
    while (sweep_some(64)) {}
    result.total_ns = monotonic_ns() - began;
}

cycle_result mark_and_sweep() noexcept {
    cycle_result result;
    const std::int64_t began = monotonic_ns();
    for (processor* const p : sched.all_processors()) {
        if (mutator_of(*p) == nullptr)
            return result;  // Without memory for its own lists it can't begin.
    }
    install_nudges(&answer_interrupted);
    result.begun = true;
    begin();

    gc_request asked;
    asked.marking = true;
    // seq_cst, and the heavy fence of the handshake: who still reads 0 has stored before the handshake ends.
    gc_marking.store(1, std::memory_order_seq_cst);
    handshake(asked);

    asked.black = true;
    asked.round = next_round();
    allocated_at_black = allocated_bytes();
    handshake(asked);
    read_every_coroutine(asked.round);
    read_roots();
    read_all(gc_notes.left.take_all(), asked.round);
    drain_all();
    result.rounds = 1;
    do {
        ++result.rounds;
        while (mark_round(asked)) ++result.rounds;
    } while (!decide_what_is_dead(asked, result.rounds));
    result.destructors = bury();
    end_weak_marking();

    asked = {};
    handshake(asked, []() noexcept {
        advance_epoch();
        gc_marking.store(0, std::memory_order_seq_cst);
    });
    if (result.rounds > rounds_told_apart) forget_stamps();
    finish(result, began);
    start_sweep();
    clean_up(result, began);
    return result;
}

cycle_result mark_and_sweep_at_once() noexcept {
    cycle_result result;
    const std::int64_t began = monotonic_ns();
    const std::span<processor* const> all = sched.all_processors();
    for (processor* const p : all) {
        if (mutator_of(*p) == nullptr) return result;
    }
    result.begun = true;
    begin();
    gc_request asked;
    asked.black = true;
    asked.round = next_round();
    publish_request(asked, [] {});
    allocated_at_black = allocated_bytes();
    for (processor* const p : all) {
        obey(*p->mutator.load(std::memory_order_acquire), asked);
        p->answered.store(asked.number, std::memory_order_release);
    }
    read_every_coroutine(asked.round, true);
    read_roots();
    drain_all();
    result.rounds = 1;
    begin_deciding();
    static_cast<void>(end_deciding());
    result.destructors = bury();
    end_weak_marking();

    asked = {};
    publish_request(asked, [] { advance_epoch(); });
    for (processor* const p : all) {
        obey(*p->mutator.load(std::memory_order_acquire), asked);
        p->answered.store(asked.number, std::memory_order_release);
    }
    finish(result, began);
    start_sweep();
    clean_up(result, began);
    return result;
}

// With the CPU time of the calling thread.
template <class F>
cycle_result timed(F&& cycle) noexcept {
    const std::int64_t began = thread_cpu_ns();
    cycle_result result = cycle();
    result.cpu_ns = thread_cpu_ns() - began;
    return result;
}

}  // namespace

cycle_result run_cycle() noexcept { return timed(mark_and_sweep); }
[[gnu::noinline]] cycle_result run_cycle_at_once() noexcept {
    WEFT_DEEP;
    return timed(mark_and_sweep_at_once);
}

void free_after_cycle(void* off_heap) noexcept {
    // A program may have no other reason for a cycle.
    constexpr std::uint32_t many = 256;
    static std::atomic<std::uint32_t> count{0};
    if (count.fetch_add(1, std::memory_order_relaxed) % many == many - 1) want_cycle();
    void* head = kept.load(std::memory_order_relaxed);
    do {
        __atomic_store_n(static_cast<void**>(off_heap), head, __ATOMIC_RELAXED);
        // release: who frees it frees what we have written.
    } while (!kept.compare_exchange_weak(head, off_heap, std::memory_order_release,
                                         std::memory_order_relaxed));
}

void free_what_was_kept() noexcept {
    for (void* one = kept.exchange(nullptr, std::memory_order_acquire); one != nullptr;) {
        void* const next = __atomic_load_n(static_cast<void**>(one), __ATOMIC_RELAXED);
        off_heap_free(one);
        one = next;
    }
}

}  // namespace weft::detail
