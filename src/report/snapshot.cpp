#include "report/snapshot.hpp"

#include "chan/waited_cases.hpp"
#include "os/clock.hpp"
#include "os/fence.hpp"
#include "sched/claim.hpp"
#include "sched/extras.hpp"
#include "sched/idle.hpp"
#include "sched/scheduler.hpp"
#include "sched/trim.hpp"
#include "sched/wait.hpp"
#include "stack/unwind.hpp"
#include "sync/holder.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <unordered_map>

namespace weft::detail {

// One coroutine, in memory that is there before it is claimed.
struct snapshot::copy {
    coroutine_record record;
    std::array<char, 64> name;
    std::array<waited_case, cases_max> cases;
    std::array<std::uintptr_t, frames_max> frames;
};

struct snapshot::batch {
    static constexpr std::size_t claim_at_once = 64;  // One heavy fence for so many.

    const claimer reader;
    std::array<coroutine*, claim_at_once> asked;
    std::size_t asked_count = 0;
    std::vector<coroutine*> busy;  // Somebody else had claimed them, or they were just parking.
    copy one;
};

namespace {

// For how long to come back to those that could not be claimed, before they are shown without a stack. The trimmer is
// done with a batch in half a millisecond.
constexpr std::int64_t patience_ns = 5'000'000;

void copy_origin(const coroutine& c, coroutine_record& r, std::array<char, 64>& name) noexcept {
    r.id = c.id;
    r.descriptor = &c;
    r.created_at = c.created_at();
    r.name_size = static_cast<std::uint8_t>(copy_name(c, name));
}

// The cases lie on the stack of the coroutine, or where that keeps them alive until the select has ended.
void copy_cases(coroutine_record& r, std::array<waited_case, cases_max>& cases) noexcept {
    const unrecorded unseen;  // The claim keeps them from changing; ThreadSanitizer can't know.
    for (const select_case& one : waited_cases(r.object)) {
        if (one.channel == nullptr) continue;
        if (r.case_count < cases_max) cases[r.case_count] = {one.channel, one.sends};
        ++r.case_count;
    }
}

const void* scope_of(const coroutine& c) noexcept {
    const unrecorded unseen;  // As in copy_cases().
    return c.scope;
}

void note_holder(coroutine_record& r) noexcept {
    const lock_holder holder = holder_of(r.kind, r.object);
    if (holder.owner != 0) {
        r.holder = holder_kind::coroutine;
        r.holder_is = holder.owner;
    } else if (holder.readers != 0) {
        r.holder = holder_kind::readers;
        r.holder_is = holder.readers;
    }
}

// Claimed, so it stays where it is, and what it waits for stays alive.
void copy_parked(const coroutine& c, coroutine_record& r, std::array<waited_case, cases_max>& cases,
                 std::span<std::uintptr_t> frames) noexcept {
    r.status = c.waiting_epoch() != 0 ? co_status::waiting : co_status::runnable;
    if (r.status == co_status::waiting) {
        r.kind = c.kind();
        r.object = waits_on(c);
        r.scope = scope_of(c);
        // What is joined has an id that says more than its address.
        if (r.kind == wait_kind::join && r.object != nullptr) {
            r.joined = static_cast<const coroutine*>(r.object)->id;
        } else if (r.kind == wait_kind::select && r.object != nullptr) {
            copy_cases(r, cases);
        } else if (r.object != nullptr) {
            note_holder(r);
        }
        r.waited_ns = seen_parked_for(c);
    }
    const stack_ref stack = c.stack;
    const stack_space space{sched.stacks, stack.is_split() ? stack.newest() : nullptr};
    r.frame_count = static_cast<std::uint32_t>(unwind_parked(c.context, space, frames));
}

// Not claimed: what is read may be of two coroutines that follow each other in a descriptor, which the id tells.
// False: it has ended.
bool copy_unclaimed(const coroutine& c, coroutine_record& r, std::array<char, 64>& name) noexcept {
    for (;;) {
        const co_state state = c.state.load(std::memory_order_acquire);
        if (state == co_state::dead) return false;
        copy_origin(c, r, name);
        if ((c.traits & trait_blocking) != 0) {
            r.status = co_status::blocking;
        } else if (state == co_state::runnable) {
            r.status = co_status::unstarted;
        } else if (state == co_state::parked) {
            r.status = c.waiting_epoch() != 0 ? co_status::waiting : co_status::runnable;
            r.kind = c.kind();
        } else {
            r.status = co_status::running;
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        // The memory of one that has ended may have gone meanwhile, and then it reads 0.
        if (c.id == r.id) return r.id != 0;
    }
}

bool is_parking(co_state state) noexcept {
    return state == co_state::parking || state == co_state::parking_ready ||
           state == co_state::parked;
}

}  // namespace

// For one batch, which adds each of its coroutines at most once: nothing may throw while some are claimed.
void snapshot::make_room() {
    const auto grow = [](auto& what, std::size_t by) {
        if (what.capacity() - what.size() < by)
            what.reserve(std::max(2 * what.capacity(), what.size() + by));
    };
    grow(records_, batch::claim_at_once);
    grow(frames_, batch::claim_at_once * frames_max);
    grow(names_, batch::claim_at_once * std::tuple_size_v<decltype(copy::name)>);
    grow(cases_, batch::claim_at_once * cases_max);
}

void snapshot::add(const copy& one) noexcept {
    coroutine_record r = one.record;
    r.name_at = names_.size();
    r.frames_at = frames_.size();
    r.cases_at = cases_.size();
    names_.append(one.name.data(), r.name_size);
    frames_.insert(frames_.end(), one.frames.begin(), one.frames.begin() + r.frame_count);
    cases_.insert(cases_.end(), one.cases.begin(),
                  one.cases.begin() + std::min<std::size_t>(r.case_count, cases_max));
    has_holders_ = has_holders_ || r.holder == holder_kind::coroutine;
    records_.push_back(r);
}

void snapshot::look_at(batch& b, coroutine& c, const known_stack& known, bool last_look) {
    // Not a sticky one, which its claimer would queue anywhere.
    if (!last_look && (c.traits & trait_sticky) == 0) {
        if (b.reader.request(c)) {
            b.asked[b.asked_count++] = &c;
            return;
        }
        if (is_parking(c.state.load(std::memory_order_acquire))) {
            b.busy.push_back(&c);
            return;
        }
    }
    b.one.record = {};
    if (!copy_unclaimed(c, b.one.record, b.one.name)) return;
    if (known.id != 0 && b.one.record.id == known.id) {
        const std::size_t count = std::min(known.frames.size(), frames_max);
        std::copy_n(known.frames.begin(), count, b.one.frames.begin());
        b.one.record.frame_count = static_cast<std::uint32_t>(count);
    }
    add(b.one);
}

// Nothing here throws: there is room.
void snapshot::claim_and_copy(batch& b) {
    if (b.asked_count == 0) return;
    // Who becomes ready while it is claimed is in no queue: it counts as something that will happen.
    sched.blocking_calls.fetch_add(1, std::memory_order_seq_cst);
    heavy_fence();
    for (std::size_t i = 0; i != b.asked_count; ++i) {
        coroutine& c = *b.asked[i];
        b.one.record = {};
        if (b.reader.confirm(c)) {
            copy_origin(c, b.one.record, b.one.name);
            copy_parked(c, b.one.record, b.one.cases, b.one.frames);
            b.reader.release(c);
            add(b.one);
        } else if (copy_unclaimed(c, b.one.record, b.one.name)) {
            add(b.one);  // It runs by now.
        }
    }
    end_call();
    b.asked_count = 0;
}

snapshot::snapshot(const known_stack& known, std::size_t limit) {
    const auto b = std::make_unique<batch>();
    const std::int64_t begun = monotonic_ns();
    decltype(sched.coroutines)::position at;
    std::size_t taken = 0;
    for (bool more = true; more;) {
        make_room();
        b->busy.reserve(b->busy.size() + batch::claim_at_once);
        more = sched.coroutines.walk(at, batch::claim_at_once, [&](coroutine& c) {
            if (c.state.load(std::memory_order_acquire) == co_state::dead) return;
            if (taken == limit) {
                ++more_;
                return;
            }
            ++taken;
            look_at(*b, c, known, false);
        });
        claim_and_copy(*b);
    }
    for (const std::int64_t waits_since = monotonic_ns(); !b->busy.empty();) {
        std::this_thread::yield();
        const bool last_look = monotonic_ns() - waits_since > patience_ns;
        std::vector<coroutine*> again;
        again.swap(b->busy);
        for (std::size_t first = 0; first < again.size(); first += batch::claim_at_once) {
            make_room();
            b->busy.reserve(b->busy.size() + batch::claim_at_once);
            const std::size_t end = std::min(first + batch::claim_at_once, again.size());
            for (std::size_t i = first; i != end; ++i) {
                look_at(*b, *again[i], known, last_look);
            }
            claim_and_copy(*b);
        }
    }
    taken_ns_ = monotonic_ns() - begun;
    sort(known.id);
    name_holders();
}

void snapshot::sort(std::uint64_t front) {
    std::sort(records_.begin(), records_.end(),
              [front](const coroutine_record& a, const coroutine_record& z) {
                  if ((a.id == front) != (z.id == front)) return a.id == front;
                  return a.id < z.id;
              });
    has_front_ = !records_.empty() && records_.front().id == front;
}

const coroutine_record* snapshot::find(std::uint64_t id) const noexcept {
    if (records_.empty()) return nullptr;
    if (records_.front().id == id) return &records_.front();
    const auto it = std::lower_bound(
        records_.begin() + (has_front_ ? 1 : 0), records_.end(), id,
        [](const coroutine_record& r, std::uint64_t wanted) { return r.id < wanted; });
    return it != records_.end() && it->id == id ? &*it : nullptr;
}

// The word of a lock holds the address of a descriptor or of a thread's block. Which coroutine had the descriptor is known
// when all have been looked at.
void snapshot::name_holders() {
    if (!has_holders_) return;
    struct holder {
        holder_kind kind = holder_kind::thread;
        std::uint64_t id = 0;
    };
    std::unordered_map<std::uint64_t, holder> by_agent;
    for (const coroutine_record& r : records_) {
        if (r.holder == holder_kind::coroutine) by_agent.try_emplace(r.holder_is);
    }
    for (const coroutine_record& r : records_) {
        const auto it = by_agent.find(reinterpret_cast<std::uintptr_t>(r.descriptor));
        if (it != by_agent.end()) it->second = {holder_kind::coroutine, r.id};
    }
    for (auto& [address, who] : by_agent) {
        if (who.id != 0 || !sched.coroutines.holds(address)) continue;
        // One that is alive was left out by the limit, or began behind our look at its descriptor.
        const auto& c = *reinterpret_cast<const coroutine*>(address);
        const bool ended = c.state.load(std::memory_order_acquire) == co_state::dead;
        who.kind = ended ? holder_kind::ended : holder_kind::none;
    }
    for (coroutine_record& r : records_) {
        if (r.holder != holder_kind::coroutine) continue;
        const holder& who = by_agent[r.holder_is];
        r.holder = who.kind;
        r.holder_is = who.id;
    }
}

}  // namespace weft::detail
