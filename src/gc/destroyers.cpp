#include "gc/destroyers.hpp"

#include <weft/detail/gc_type.hpp>
#include <weft/go.hpp>

#include "base/print.hpp"
#include "gc/life/destructors.hpp"
#include "os/clock.hpp"
#include "sched/machine.hpp"
#include <weft/detail/spin_lock.hpp>

#include <mutex>

namespace weft::detail {
namespace {

constexpr std::int64_t long_ns = 10'000'000;
constexpr std::int64_t name_after_ns = 1'000'000'000;

// One such coroutine; lies on its stack.
struct destroyer {
    const coroutine* self = nullptr;
    destroyer* next = nullptr;
    destroyer** previous = nullptr;
};

struct {
    spin_lock lock;
    // Under the lock.
    destroyer* all = nullptr;
    unsigned starting = 0;
    std::uint64_t due = 0;
    std::uint64_t returned = 0;
    std::uint64_t begun = 0;
    destructor_waiter* waiters = nullptr;
    // The coordinator's.
    std::uint64_t returned_then = 0;
    std::int64_t named_since = 0;
} constinit crew;

void enter(destroyer& d) noexcept {
    const std::lock_guard hold(crew.lock);
    --crew.starting;
    d.next = crew.all;
    d.previous = &crew.all;
    if (d.next != nullptr) d.next->previous = &d.next;
    crew.all = &d;
}
void leave(destroyer& d) noexcept {
    const std::lock_guard hold(crew.lock);
    *d.previous = d.next;
    if (d.next != nullptr) d.next->previous = d.previous;
}

// One more has returned. Returns whom to tell.
destructor_waiter* note_returned() noexcept {
    const std::lock_guard hold(crew.lock);
    ++crew.returned;
    destructor_waiter* told = nullptr;
    for (destructor_waiter** at = &crew.waiters; *at != nullptr;) {
        destructor_waiter* const w = *at;
        if (w->target > crew.returned) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = told;
        told = w;
    }
    return told;
}

void tell(destructor_waiter* told) noexcept {
    while (told != nullptr) {
        // Its frame may be gone as soon as it is fired.
        destructor_waiter* const next = told->next;
        const ticket who = told->who;
        fire(who, wake_reason::signalled);
        told = next;
    }
}

bool begin_one() noexcept {
    const std::lock_guard hold(crew.lock);
    if (crew.begun == crew.due) return false;
    ++crew.begun;
    return true;
}

void run_destructors() {
    const no_cancel to_the_end;
    destroyer here;
    here.self = this_coroutine();
    enter(here);
    while (begin_one()) {
        static_cast<void>(run_next_destructor());
        tell(note_returned());
    }
    leave(here);
}

void start_one() noexcept {
    {
        const std::lock_guard hold(crew.lock);
        ++crew.starting;
    }
    try {
        spawn_options how;
        how.name = "gc destructors";
        go(how, run_destructors);
    } catch (...) {
        const std::lock_guard hold(crew.lock);
        --crew.starting;
    }
}

void name_oldest(const running_destructor& oldest) noexcept {
    crew.named_since = oldest.since_ns;
    printer out;
    out << "weft: "
        << (oldest.type != nullptr ? "a destructor of an object of the collected heap"
                                   : "a gc::cleanup")
        << " has run for 1 s; others go on";
    if (oldest.type != nullptr && oldest.type->name != nullptr) out << ": " << oldest.type->name;
    out << "\n";
    out.flush();
}

}  // namespace

void run_due(std::size_t count) noexcept {
    bool needed = false;
    {
        const std::lock_guard hold(crew.lock);
        crew.due += count;
        needed = crew.begun != crew.due && crew.all == nullptr && crew.starting == 0;
    }
    if (needed) start_one();
}

void lock_destroyers() noexcept { crew.lock.lock(); }
void unlock_destroyers() noexcept { crew.lock.unlock(); }

bool all_have_returned(destructor_waiter& waiter) noexcept {
    const std::lock_guard hold(crew.lock);
    if (crew.returned == crew.due || (crew.all == nullptr && crew.starting == 0)) return true;
    waiter.target = crew.due;
    waiter.next = crew.waiters;
    crew.waiters = &waiter;
    return false;
}

bool is_destroyer(const coroutine* c) noexcept {
    const std::lock_guard hold(crew.lock);
    for (const destroyer* d = crew.all; d != nullptr; d = d->next) {
        if (d->self == c) return true;
    }
    return false;
}

std::int64_t look_after_destroyers() noexcept {
    bool waits = false;
    bool stuck = false;
    {
        const std::lock_guard hold(crew.lock);
        if (crew.returned == crew.due) return never;
        waits = crew.begun != crew.due && crew.starting == 0;
        stuck = crew.returned == crew.returned_then;
        crew.returned_then = crew.returned;
    }
    const std::int64_t now = monotonic_ns();
    const running_destructor oldest = oldest_running_destructor();
    if (waits && (oldest.since_ns == 0 || (stuck && now - oldest.since_ns >= long_ns))) start_one();
    if (oldest.since_ns != 0 && now - oldest.since_ns >= name_after_ns &&
        crew.named_since != oldest.since_ns) {
        name_oldest(oldest);
    }
    return now + long_ns;
}

void forget_destroyers() noexcept {
    bool abandoned = false;
    {
        const std::lock_guard hold(crew.lock);
        abandoned = crew.all != nullptr || crew.starting != 0;
        crew.all = nullptr;
        crew.starting = 0;
        crew.waiters = nullptr;
        // What is due, and has not begun, waits for the next runtime.
        crew.due = abandoned ? 0 : crew.due - crew.begun;
        crew.returned = crew.begun = crew.returned_then = 0;
    }
    if (abandoned) forget_destructors();
}

}  // namespace weft::detail
