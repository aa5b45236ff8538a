#include "sched/trim.hpp"

#include "os/clock.hpp"
#include "os/fence.hpp"
#include "os/memory.hpp"
#include "sched/claim.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"
#include "sched/trim_pace.hpp"
#include "stack/segment.hpp"

#include <array>
#include <atomic>
#include <cstddef>

namespace weft::detail {
namespace {

constexpr std::int64_t step_ns = 1'000'000;  // For so long at a time.
constexpr std::size_t look_at_once = 512;
constexpr std::size_t shed_at_once = 4;    // Of each kind; one takes some 30 us.
constexpr std::size_t claim_at_once = 64;  // One heavy fence for so many.
constexpr std::size_t red_zone = 128;
// The times that go with the notes: tenths of a second, which wrap after thirteen years.
constexpr std::int64_t tick_ns = 100'000'000;

// What is noted with a stack: where its coroutine was parked, and what was done about it.
constexpr std::uint32_t hash_mask = (1u << 29) - 1;
constexpr std::uint32_t seen_bit = 1u << 29;
constexpr std::uint32_t trimmed_bit = 1u << 30;
static_assert((hash_mask | seen_bit | trimmed_bit) < stack_store::note_limit);

struct round_state {
    decltype(sched.coroutines)::position at;
    bool walks = false;  // Through the descriptors.
    bool sheds = false;  // There may still be something to shed.
    trim_findings found;
    trim_pace pace;

    [[nodiscard]] bool under_way() const noexcept { return walks || sheds; }
};
round_state now_at;  // The monitor's.

std::atomic<std::uint64_t> trimmed{0};

std::uint32_t place_of(const coroutine& c) noexcept {
    const auto context = reinterpret_cast<std::uintptr_t>(c.context.get());
    const std::uint64_t mixed = (context ^ c.epoch() << 40) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint32_t>(mixed >> 35) & hash_mask;
}

segment& first_of(stack_ref split) noexcept {
    segment* s = split.newest();
    while (s->below != nullptr) s = s->below;
    return *s;
}

// The note that goes with a stack; a split one's is in its first segment. Who reads it without a claim may see anything,
// but nothing that is not there: segments are not unmapped while a runtime is up, but for huge ones, which are never first.
stack_note note_of(const coroutine& c) noexcept {
    const stack_ref stack = c.stack;
    if (!stack.is_split()) return {sched.stacks.note(stack), sched.stacks.note_time(stack)};
    return first_of(stack).noted;
}

void set_note(const coroutine& c, std::uint32_t what) noexcept {
    const stack_ref stack = c.stack;
    const auto when = static_cast<std::uint32_t>(monotonic_ns() / tick_ns);
    if (stack.is_split()) {
        first_of(stack).noted = {what, when};
    } else {
        sched.stacks.set_note(stack, what);
        sched.stacks.set_note_time(stack, when);
    }
}

// Whether it is parked, as far as can be seen, and not done with.
bool is_candidate(const coroutine& c) noexcept {
    if (c.state.load(std::memory_order_acquire) != co_state::parked) return false;
    if ((c.traits & trait_sticky) != 0) return false;  // Its claimer would queue it anywhere.
    const stack_ref stack = c.stack;
    if (!stack || c.context.get() == nullptr) return false;
    if (stack.is_split()) {
        // It may have gone meanwhile. A longer chain is looked at once it is claimed.
        const segment* const newest = stack.newest();
        return !sched.segments.stays_mapped(newest) || newest->below != nullptr ||
               newest->noted.what != (place_of(c) | trimmed_bit);
    }
    return sched.stacks.note(stack) != (place_of(c) | trimmed_bit);
}

// What lies below its frames, on the stack or segment that it parked on.
void trim(const coroutine& c) noexcept {
    const stack_ref stack = c.stack;
    std::uintptr_t low = 0;
    if (stack.is_split()) {
        // The page with the canary stays.
        const segment& newest = *stack.newest();
        low = (reinterpret_cast<std::uintptr_t>(newest.base()) + page_size) & ~(page_size - 1);
    } else {
        low = reinterpret_cast<std::uintptr_t>(stack.base()) +
              stack_store::guard_size(stack.log2_size());
    }
    const auto high =
        (reinterpret_cast<std::uintptr_t>(c.context.get()) - red_zone) & ~(page_size - 1);
    if (high <= low) return;
    discard_pages(reinterpret_cast<void*>(low), high - low);
    trimmed.fetch_add(high - low, std::memory_order_relaxed);
}

bool parked_on_its_own(const coroutine& c) noexcept {
    const stack_ref stack = c.stack;
    const auto context = reinterpret_cast<std::uintptr_t>(c.context.get());
    if (stack.is_split()) return stack.newest()->holds(context);
    const auto base = reinterpret_cast<std::uintptr_t>(stack.base());
    return context >= base && context < base + stack.size();
}

void look_closely(coroutine& c) noexcept {
    // Claimed, so it stays where it is.
    if (!parked_on_its_own(c)) return;  // On a borrowed stack.
    const std::uint32_t place = place_of(c);
    const stack_note note = note_of(c);
    if (note.what == (place | seen_bit)) {
        trim(c);
        now_at.found.gave_back = true;
        // When it was seen first goes on counting.
        if (c.stack.get().is_split()) {
            first_of(c.stack).noted.what = place | trimmed_bit;
        } else {
            sched.stacks.set_note(c.stack, place | trimmed_bit);
        }
    } else if (note.what != (place | trimmed_bit)) {
        set_note(c, place | seen_bit);
        ++now_at.found.seen;
    }
}

// Gives back what is no stack: timers that were forgotten, and what the upper layers have.
std::size_t cool_others() noexcept {
    std::size_t cooled = sched.hooks.cool != nullptr ? sched.hooks.cool() : 0;
    for (processor* const p : sched.timer_owners()) cooled += sched.hooks.timers->cool(*p);
    return cooled;
}

// Gives back a little of what a spike of coroutines leaves behind beside its stacks. Returns true if there may be more. It does
// not make a round worth its time: the rounds that find the stacks of the spike go on for long enough.
bool shed_some() noexcept {
    static const bool tables_go_back = kernel_takes_page_tables_back();
    const std::size_t bytes = sched.coroutines.cool(shed_at_once) + sched.extras.cool(shed_at_once);
    const std::size_t tables = tables_go_back ? sched.stacks.shed_tables(shed_at_once) : 0;
    return bytes + tables != 0;
}

// How often anybody has parked or ended: at least as many as a round could find something for.
std::uint64_t activity() noexcept {
    std::uint64_t sum = 0;
    for (const processor* const p : sched.all_processors()) {
        sum += p->parks.read() + p->finished.read();
    }
    return sum;
}

// Looks at the next descriptors, claims those that may be worth it, and sees to them.
void walk_on(const claimer& trimmer) noexcept {
    std::array<coroutine*, claim_at_once> asked;
    std::size_t n = 0;
    for (std::size_t looked = 0; looked < look_at_once && n != asked.size() && now_at.walks;) {
        const std::size_t room = asked.size() - n;
        looked += room;
        now_at.walks = sched.coroutines.walk(now_at.at, room, [&](coroutine& c) {
            ++now_at.found.looked;
            if (is_candidate(c) && trimmer.request(c)) asked[n++] = &c;
        });
    }
    if (n == 0) return;
    // A coroutine that becomes ready while it is claimed is in no queue: it counts as something that will happen.
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    heavy_fence();
    for (std::size_t i = 0; i != n; ++i) {
        if (!trimmer.confirm(*asked[i])) continue;
        look_closely(*asked[i]);
        trimmer.release(*asked[i]);
    }
    end_call();
}

}  // namespace

std::int64_t trim_stacks(std::int64_t active_at) {
    const std::int64_t now = monotonic_ns();
    if (!now_at.under_way()) {
        const std::uint64_t so_far = activity();
        const std::int64_t next = now_at.pace.next(active_at, so_far);
        if (now < next) return next;
        now_at.pace.begin(now, so_far);
        now_at.walks = now_at.sheds = true;
        now_at.found = {};
        if (const std::size_t cooled = sched.stacks.cool() + sched.segments.cool(); cooled != 0) {
            trimmed.fetch_add(cooled, std::memory_order_relaxed);
            now_at.found.gave_back = true;
        }
        if (cool_others() != 0) now_at.found.gave_back = true;
        return_idle_descriptors();
        sched.coroutines.begin_round();
        sched.extras.begin_round();
    }
    const claimer trimmer;
    while (now_at.under_way() && monotonic_ns() - now < step_ns) {
        if (now_at.sheds) now_at.sheds = shed_some();
        if (now_at.walks) walk_on(trimmer);
    }
    if (now_at.under_way()) return now;
    now_at.pace.end(now_at.found, active_at);
    return now_at.pace.next(active_at, activity());
}

std::int64_t seen_parked_for(const coroutine& c) noexcept {
    if (!c.stack.get()) return 0;
    const std::uint32_t place = place_of(c);
    const stack_note note = note_of(c);
    if (note.what != (place | seen_bit) && note.what != (place | trimmed_bit)) return 0;
    const auto now = static_cast<std::uint32_t>(monotonic_ns() / tick_ns);
    return std::int64_t{now - note.when} * tick_ns;
}

std::uint64_t trimmed_bytes() noexcept { return trimmed.load(std::memory_order_relaxed); }

void reset_trim() noexcept {
    now_at = {};
    trimmed.store(0);
}

}  // namespace weft::detail
