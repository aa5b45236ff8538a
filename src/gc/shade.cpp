// Reporting pointers to the collector.
#include "gc/shade.hpp"
#include "base/stack_facts.hpp"
#include "gc/heap/heap.hpp"
#include "gc/mutator.hpp"
#include "sched/collector.hpp"

#include <mutex>
#include <weft/detail/spin_lock.hpp>

namespace weft::detail {
namespace {

// Of threads that are no mutators. The collector takes what is there under the lock, too, so no word is left in a chunk.
constinit spin_lock foreign_lock;
constinit word_buffer foreign_words;

bool is_white(std::uintptr_t word) noexcept {
    object_ref object;
    return find_object(word, object) && !is_marked(object);
}

void report(std::uintptr_t word) noexcept {
    if (!is_white(word)) return;
    thread_block& block = *this_thread_block();
    const busy_section busy(block);
    if (gc_mutator* const m = block.mutator.load(std::memory_order_relaxed)) {
        m->shaded.push(word, gc_notes.shaded);
        return;
    }
    const std::lock_guard hold(foreign_lock);
    // The heap, and the chunks with it, may have gone since the caller looked. Relaxed: a stop has cleared it before it took the
    // lock to flush.
    if (gc_marking.load(std::memory_order_relaxed) != 0) {
        foreign_words.push(word, gc_notes.shaded);
    }
}

#if defined(__GNUC__) && !defined(__clang__)
#define WEFT_READS_ANYTHING gnu::no_sanitize("thread", "address")
#else
#define WEFT_READS_ANYTHING clang::no_sanitize("thread", "address")
#endif

// Others may be writing the words, and sanitizers may hold them for poisoned.
[[gnu::noinline, WEFT_READS_ANYTHING]] std::uintptr_t read_word(const void* at) noexcept {
    return *static_cast<const volatile std::uintptr_t*>(at);
}

// The next word in [at, high) that points into the arena; `high` if there is none.
[[gnu::noinline, WEFT_READS_ANYTHING]] const std::uintptr_t*
next_candidate(const std::uintptr_t* at, const std::uintptr_t* high) noexcept {
    while (at != high && !in_arena(*static_cast<const volatile std::uintptr_t*>(at))) ++at;
    return at;
}

template <class F>
void for_each_candidate(const void* low, const void* high, F&& f) noexcept {
    constexpr std::uintptr_t mask = sizeof(std::uintptr_t) - 1;
    const auto* at = reinterpret_cast<const std::uintptr_t*>(
        (reinterpret_cast<std::uintptr_t>(low) + mask) & ~mask);
    const auto* const end =
        reinterpret_cast<const std::uintptr_t*>(reinterpret_cast<std::uintptr_t>(high) & ~mask);
    if (at >= end) return;
    for (;;) {
        at = next_candidate(at, end);
        if (at == end) return;
        f(read_word(at));
        ++at;
    }
}

}  // namespace

void note_word(gc_mutator& m, std::uintptr_t word) noexcept {
    if (is_white(word)) m.shaded.push(word, gc_notes.shaded);
}

void note_words(gc_mutator& m, const void* low, const void* high) noexcept {
    for_each_candidate(low, high, [&m](std::uintptr_t word) { note_word(m, word); });
}

void flush_foreign_words() noexcept {
    const std::lock_guard hold(foreign_lock);
    foreign_words.flush(gc_notes.shaded);
}

void lock_foreign_words() noexcept { foreign_lock.lock(); }
void unlock_foreign_words() noexcept { foreign_lock.unlock(); }

void report_words(const void* words, std::size_t bytes) noexcept {
    for_each_candidate(words, static_cast<const std::byte*>(words) + bytes, report);
}

[[gnu::noinline]] void gc_shade(const void* pointer) noexcept {
    WEFT_DEEP;
    report(reinterpret_cast<std::uintptr_t>(pointer));
}

[[gnu::noinline]] void gc_enter_busy() noexcept {
    WEFT_DEEP;
    auto& busy = this_thread_block()->gc_busy;
    busy.store(busy.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

[[gnu::noinline]] void gc_leave_busy() noexcept {
    WEFT_DEEP;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    auto& busy = this_thread_block()->gc_busy;
    busy.store(busy.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

}  // namespace weft::detail
