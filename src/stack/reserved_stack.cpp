#include "stack/reserved_stack.hpp"

#include "base/assert.hpp"
#include "base/config.hpp"
#include "base/stack_facts.hpp"

#include <algorithm>
#include <mutex>

#if WEFT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace weft::detail {
namespace {

// How much address space an arena asks for, before the kernel says no: two million slots, or 2 TiB.
constexpr std::size_t slots_wanted =
    asan_build || tsan_build ? std::size_t{1} << 16 : std::size_t{1} << 21;
constexpr std::size_t bytes_wanted_max =
    asan_build || tsan_build ? std::size_t{1} << 34 : std::size_t{1} << 41;

// AddressSanitizer keeps what it knows of addresses when they are unmapped. A coroutine's first frames are never left
// in order, and the next mapping here may be a thread's.
void forget_poison([[maybe_unused]] void* base, [[maybe_unused]] std::size_t bytes) noexcept {
#if WEFT_ASAN
    __asan_unpoison_memory_region(base, bytes);
#endif
}

// Free slots beyond this many give their pages back at once.
constexpr std::size_t free_resident_max = tiny_limits ? 4 : 16 * 1024;

std::size_t table_bytes(std::size_t count, std::size_t entry) noexcept {
    return (count * entry + page_size - 1) / page_size * page_size;
}

// Below the first slot of an arena: as much as a group of slots, so that groups begin where page tables do. An arena that is
// smaller, because address space is limited, never has a full group.
constexpr std::size_t gap_of(std::size_t count, unsigned log2_size) noexcept {
    const std::size_t group = cold_slots::group_bytes(log2_size);
    return count << log2_size < group ? std::size_t{1} << log2_size : group;
}

}  // namespace

void stack_store::configure(bool canary, unsigned usual_log2) noexcept {
    canary_.store(canary);
    usual_log2_ = usual_log2;
}

std::uint32_t stack_store::slot_of(const arena& a, stack_ref stack) noexcept {
    const std::uintptr_t base = a.base.load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>((reinterpret_cast<std::uintptr_t>(stack.base()) - base) >>
                                      stack.log2_size());
}

bool stack_store::reserve(arena& a, unsigned log2_size) noexcept {
    const std::size_t slot = std::size_t{1} << log2_size;
    // The program needs most of an address space that is limited.
    const std::size_t share = address_space_limit() / (log2_size == usual_log2_ ? 4 : 64);
    std::size_t count =
        std::clamp(std::min(bytes_wanted_max, share) / slot, std::size_t{16}, slots_wanted);
    std::size_t gap = 0;
    void* base = nullptr;
    for (;; count /= 2) {
        if (count == 0) return false;
        gap = gap_of(count, log2_size);
        // The gap is never accessible: there a runaway recursion ends at last when the slots below its own have no guards.
        void* const mapped = reserve_pages(gap + count * slot, gap, "stacks");
        if (mapped == nullptr) continue;
        deny_pages(mapped, gap);
        keep_out_of_core(mapped, gap + count * slot);
        base = static_cast<std::byte*>(mapped) + gap;
        break;
    }
    a.next = static_cast<relaxed<std::uint32_t>*>(
        reserve_pages(table_bytes(count, sizeof(std::uint32_t)), page_size, "stack-table"));
    a.times = static_cast<relaxed<std::uint32_t>*>(
        reserve_pages(table_bytes(count, sizeof(std::uint32_t)), page_size, "note-table"));
    if (a.next.get() == nullptr || a.times.get() == nullptr || !a.cold.reserve(count, log2_size)) {
        for (relaxed<std::uint32_t>* const table : {a.next.get(), a.times.get()}) {
            if (table != nullptr) release_pages(table, table_bytes(count, sizeof(std::uint32_t)));
        }
        release_pages(static_cast<std::byte*>(base) - gap, gap + count * slot);
        return false;
    }
    // Nothing in them helps to read a core, and a core has all of a mapping.
    keep_out_of_core(a.next.get(), table_bytes(count, sizeof(std::uint32_t)));
    keep_out_of_core(a.times.get(), table_bytes(count, sizeof(std::uint32_t)));
    if constexpr (tsan_build) {
        a.tags = static_cast<relaxed<void*>*>(
            reserve_pages(table_bytes(count, sizeof(void*)), page_size, "tag-table"));
    }
    a.count = count;
    a.fresh = 0;
    a.free = no_slot;
    a.free_count = 0;
    a.base.store(reinterpret_cast<std::uintptr_t>(base), std::memory_order_release);
    return true;
}

[[gnu::noinline]] stack_ref stack_store::take(unsigned log2_size) noexcept {
    WEFT_DEEP;
    WEFT_ASSERT(log2_size >= log2_min && log2_size <= log2_max);
    arena& a = arena_of(log2_size);
    std::size_t slot = 0;
    bool fresh = false;
    bool bare = false;
    {
        const std::lock_guard hold(lock_);
        if (a.base.load(std::memory_order_relaxed) == 0 && !reserve(a, log2_size)) return {};
        if (a.free != no_slot) {
            slot = a.free;
            a.free = a.next.get()[slot] & ~unguarded_bit;
            --a.free_count;
            a.free_least = std::min(a.free_least, a.free_count);
        } else if (const auto cold = a.cold.take()) {
            slot = cold->number;
            bare = cold->bare;
        } else if (a.fresh != a.count) {
            slot = a.fresh++;
            fresh = true;
        } else {
            return {};
        }
    }
    const stack_ref stack(a.base.load(std::memory_order_relaxed) + (slot << log2_size), log2_size);
    in_use_.fetch_add(stack.size(), std::memory_order_relaxed);
    if (fresh) {
        put_used_into_core(reinterpret_cast<void*>(a.base.load(std::memory_order_relaxed)),
                           slot << log2_size, std::size_t{1} << log2_size, a.count << log2_size);
    }
    if (fresh || bare) {
        const bool guarded = !canary_.load(std::memory_order_relaxed) &&
                             guard_pages(stack.base(), guard_size(log2_size));
        a.next.get()[slot] = guarded ? 0 : unguarded_bit;  // The slot is ours alone.
    }
    return stack;
}

[[gnu::noinline]] void stack_store::give(stack_ref stack) noexcept {
    WEFT_DEEP;
    arena& a = arena_of(stack.log2_size());
    const std::uint32_t slot = slot_of(a, stack);
    in_use_.fetch_sub(stack.size(), std::memory_order_relaxed);

    bool discard = false;
    {
        const std::lock_guard hold(lock_);
        discard = a.free_count >= free_resident_max || stack.size() > std::size_t{1} << 20;
    }
    // Outside the lock, and before the slot can be taken again.
    if (discard) discard_pages(stack.base(), stack.size());

    const std::lock_guard hold(lock_);
    if (discard) {
        a.next.get()[slot] = a.next.get()[slot] & unguarded_bit;  // The note goes.
        a.cold.put(slot);
        return;
    }
    a.next.get()[slot] = (a.next.get()[slot] & unguarded_bit) | a.free;
    a.free = slot;
    ++a.free_count;
}

std::uint32_t stack_store::note(stack_ref stack) const noexcept {
    const arena& a = arenas_[stack.log2_size() - log2_min];
    return a.next[slot_of(a, stack)] & ~unguarded_bit;
}

void stack_store::set_note(stack_ref stack, std::uint32_t note) noexcept {
    arena& a = arena_of(stack.log2_size());
    relaxed<std::uint32_t>& word = a.next.get()[slot_of(a, stack)];
    word = (word & unguarded_bit) | note;
}

std::uint32_t stack_store::note_time(stack_ref stack) const noexcept {
    const arena& a = arenas_[stack.log2_size() - log2_min];
    return a.times[slot_of(a, stack)];
}

void stack_store::set_note_time(stack_ref stack, std::uint32_t when) noexcept {
    arena& a = arena_of(stack.log2_size());
    a.times.get()[slot_of(a, stack)] = when;
}

std::size_t stack_store::cool() noexcept {
    constexpr std::size_t at_once = 4096;
    std::size_t cooled = 0;
    for (unsigned log2_size = log2_min; log2_size <= log2_max; ++log2_size) {
        arena& a = arena_of(log2_size);
        std::size_t idle = 0;
        {
            const std::lock_guard hold(lock_);
            a.cold.begin_round();
            idle = std::min(a.free_least, at_once);
            a.free_least = a.free_count - idle;
        }
        for (; idle != 0; --idle) {
            std::uint32_t slot = no_slot;
            {
                const std::lock_guard hold(lock_);
                if (a.free == no_slot) break;
                slot = a.free;
                a.free = a.next.get()[slot] & ~unguarded_bit;
                --a.free_count;
            }
            const std::size_t size = std::size_t{1} << log2_size;
            discard_pages(reinterpret_cast<void*>(a.base.load(std::memory_order_relaxed) +
                                                  (std::size_t{slot} << log2_size)),
                          size);
            cooled += size;
            const std::lock_guard hold(lock_);
            a.next.get()[slot] = a.next.get()[slot] & unguarded_bit;
            a.cold.put(slot);
        }
    }
    return cooled;
}

std::size_t stack_store::shed_tables(std::size_t most) noexcept {
    std::size_t shed = 0;
    for (unsigned log2_size = log2_min; log2_size <= log2_max; ++log2_size) {
        arena& a = arena_of(log2_size);
        const std::size_t bytes = cold_slots::group_bytes(log2_size);
        for (; shed != most; ++shed) {
            cold_slots::group* g = nullptr;
            {
                const std::lock_guard hold(lock_);
                g = a.cold.take_full();
            }
            if (g == nullptr) break;
            // Nobody takes its slots meanwhile. Locked memory keeps its guards, because it would not get new ones.
            void* const start = reinterpret_cast<void*>(a.base.load(std::memory_order_relaxed) +
                                                        a.cold.offset_of(*g));
            const bool unguarded = discard_pages(start, bytes) && unguard_pages(start, bytes);
            // Without guards, one call for all of it makes the kernel look at the table.
            discard_pages(start, bytes);
            const std::lock_guard hold(lock_);
            a.cold.stripped(*g, unguarded);
        }
    }
    return shed;
}

bool stack_store::guarded(stack_ref stack) const noexcept {
    const arena& a = arenas_[stack.log2_size() - log2_min];
    return (a.next[slot_of(a, stack)] & unguarded_bit) == 0;
}

bool stack_store::canary_intact(stack_ref stack) const noexcept {
    if (guarded(stack)) [[likely]]
        return true;
    return *reinterpret_cast<const volatile std::uint64_t*>(stack.base()) == 0;
}

stack_hit stack_store::find(std::uintptr_t address) const noexcept {
    for (unsigned log2_size = log2_min; log2_size <= log2_max; ++log2_size) {
        const arena& a = arenas_[log2_size - log2_min];
        const std::uintptr_t base = a.base.load(std::memory_order_acquire);
        if (base == 0) continue;
        if (address < base && base - address <= gap_of(a.count, log2_size)) {
            return {stack_ref(base, log2_size), true};  // Below slot 0: whoever it is has run over.
        }
        if (address < base || address - base >= (a.count << log2_size)) continue;
        const std::uintptr_t start = address & ~((std::uintptr_t{1} << log2_size) - 1);
        return {stack_ref(start, log2_size), address - start < guard_size(log2_size)};
    }
    return {};
}

relaxed<void*>& stack_store::tag_of(stack_ref stack) noexcept {
    arena& a = arena_of(stack.log2_size());
    // The stack may have come by ways that ThreadSanitizer can't follow: this one it can.
    static_cast<void>(a.base.load(std::memory_order_acquire));
    return a.tags[slot_of(a, stack)];
}

void stack_store::release(void (*drop_tag)(void*) noexcept) noexcept {
    for (unsigned log2_size = log2_min; log2_size <= log2_max; ++log2_size) {
        arena& a = arena_of(log2_size);
        const std::uintptr_t base = a.base.exchange(0);
        if (base == 0) continue;
        if constexpr (tsan_build) {
            for (std::size_t slot = 0; slot != a.fresh; ++slot) {
                drop_tag(a.tags[slot]);
            }
            release_pages(a.tags, table_bytes(a.count, sizeof(void*)));
        }
        release_pages(a.next, table_bytes(a.count, sizeof(std::uint32_t)));
        release_pages(a.times, table_bytes(a.count, sizeof(std::uint32_t)));
        const std::size_t slot = std::size_t{1} << log2_size;
        const std::size_t gap = gap_of(a.count, log2_size);
        forget_poison(reinterpret_cast<void*>(base), a.fresh * slot);
        release_pages(reinterpret_cast<void*>(base - gap), gap + a.count * slot);
        a.next = nullptr;
        a.times = nullptr;
        a.tags = nullptr;
        a.count = a.fresh = a.free_count = a.free_least = 0;
        a.free = no_slot;
        a.cold.release();
    }
    in_use_.store(0, std::memory_order_relaxed);  // Some of it lay in caches, and was never given.
}

}  // namespace weft::detail
