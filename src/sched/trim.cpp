#include "sched/trim.hpp"

#include "os/clock.hpp"
#include "os/fence.hpp"
#include "os/memory.hpp"
#include "sched/claim.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"

#include <array>
#include <atomic>
#include <cstddef>

namespace weft::detail {
namespace {

constexpr std::int64_t step_ns = 1'000'000;       // For so long at a time,
constexpr std::int64_t round_ns = 1'000'000'000;  // and a round at most so often.
constexpr std::size_t look_at_once = 512;
constexpr std::size_t claim_at_once = 64;  // One heavy fence for so many.
constexpr std::size_t red_zone = 128;
// What ran a moment before a round began may have parked behind it.
constexpr std::int64_t settled_after = 50'000'000;
// The times that go with the notes: tenths of a second, which wrap after thirteen years.
constexpr std::int64_t tick_ns = 100'000'000;

// What is noted with a stack: where its coroutine was parked, and what was done about it.
constexpr std::uint32_t hash_mask = (1u << 29) - 1;
constexpr std::uint32_t seen_bit = 1u << 29;
constexpr std::uint32_t trimmed_bit = 1u << 30;
static_assert((hash_mask | seen_bit | trimmed_bit) < stack_store::note_limit);

struct round_state {
    decltype(sched.coroutines)::position at;
    std::int64_t began = 0;
    bool under_way = false;
    bool found = false;  // Something that a later round may want to trim, or this one has.
};
round_state now_at;  // The monitor's.

std::atomic<std::uint64_t> trimmed{0};

std::uint32_t place_of(const coroutine& c) noexcept {
    const auto context = reinterpret_cast<std::uintptr_t>(c.context.get());
    const std::uint64_t mixed = (context ^ c.epoch() << 40) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>(mixed >> 35) & hash_mask;
}

// Whether it is parked, as far as can be seen, and not done with.
bool is_candidate(const coroutine& c) noexcept {
    if (c.state.load(std::memory_order_acquire) != co_state::parked) return false;
    if ((c.traits & trait_sticky) != 0) return false;  // Its claimer would queue it anywhere.
    const stack_ref stack = c.stack;
    if (!stack || c.context.get() == nullptr) return false;
    return sched.stacks.note(stack) != (place_of(c) | trimmed_bit);
}

void trim(const coroutine& c, stack_ref stack) noexcept {
    const auto low =
        reinterpret_cast<std::uintptr_t>(stack.base()) + stack_store::guard_size(stack.log2_size());
    const auto high =
        (reinterpret_cast<std::uintptr_t>(c.context.get()) - red_zone) & ~(page_size - 1);
    if (high <= low) return;
    discard_pages(reinterpret_cast<void*>(low), high - low);
    trimmed.fetch_add(high - low, std::memory_order_relaxed);
}

void look_closely(coroutine& c) noexcept {
    // Claimed, so it stays where it is.
    const stack_ref stack = c.stack;
    const std::uint32_t place = place_of(c);
    const auto context = reinterpret_cast<std::uintptr_t>(c.context.get());
    const auto base = reinterpret_cast<std::uintptr_t>(stack.base());
    if (context < base || context >= base + stack.size()) return;  // On a borrowed stack.
    const std::uint32_t note = sched.stacks.note(stack);
    if (note == (place | seen_bit)) {
        trim(c, stack);
        sched.stacks.set_note(stack, place | trimmed_bit);
    } else if (note != (place | trimmed_bit)) {
        sched.stacks.set_note(stack, place | seen_bit);
        sched.stacks.set_note_time(stack, static_cast<std::uint32_t>(monotonic_ns() / tick_ns));
    }
    now_at.found = true;
}

// When the next round begins, if nothing else happens.
std::int64_t next_round(std::int64_t active_at) noexcept {
    const bool all_seen = !now_at.found && now_at.began - active_at > settled_after;
    return all_seen ? never : now_at.began + round_ns;
}

}  // namespace

std::int64_t trim_stacks(std::int64_t active_at) {
    const std::int64_t now = monotonic_ns();
    if (!now_at.under_way) {
        if (now - now_at.began < round_ns) return next_round(active_at);
        now_at.began = now;
        now_at.under_way = true;
        now_at.found = false;
        if (const std::size_t cooled = sched.stacks.cool(); cooled != 0) {
            trimmed.fetch_add(cooled, std::memory_order_relaxed);
            now_at.found = true;
        }
    }
    while (now_at.under_way && monotonic_ns() - now < step_ns) {
        std::array<coroutine*, claim_at_once> asked;
        std::size_t n = 0;
        for (std::size_t looked = 0;
             looked < look_at_once && n != asked.size() && now_at.under_way;) {
            const std::size_t room = asked.size() - n;
            looked += room;
            now_at.under_way = sched.coroutines.walk(now_at.at, room, [&](coroutine& c) {
                if (is_candidate(c) && request_claim(c)) asked[n++] = &c;
            });
        }
        if (n == 0) continue;
        // Who becomes ready while it is claimed is in no queue: it counts as something that will happen.
        sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
        heavy_fence();
        for (std::size_t i = 0; i != n; ++i) {
            if (!confirm_claim(*asked[i])) continue;
            look_closely(*asked[i]);
            release_claim(*asked[i]);
        }
        end_call();
    }
    return now_at.under_way ? now : next_round(active_at);
}

std::int64_t seen_parked_for(const coroutine& c) noexcept {
    const stack_ref stack = c.stack;
    if (!stack) return 0;
    const std::uint32_t place = place_of(c);
    const std::uint32_t note = sched.stacks.note(stack);
    if (note != (place | seen_bit) && note != (place | trimmed_bit)) return 0;
    const auto now = static_cast<std::uint32_t>(monotonic_ns() / tick_ns);
    return std::int64_t{now - sched.stacks.note_time(stack)} * tick_ns;
}

std::uint64_t trimmed_bytes() noexcept { return trimmed.load(std::memory_order_relaxed); }

void reset_trim() noexcept {
    now_at = {};
    trimmed.store(0);
}

}  // namespace weft::detail
