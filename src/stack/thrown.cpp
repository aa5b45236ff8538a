#include "stack/thrown.hpp"

#include <weft/detail/spin_lock.hpp>
#include <weft/detail/thread_block.hpp>

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"

#include <array>
#include <mutex>
#include <new>
#include <unwind.h>
#include <utility>

namespace weft::detail {
namespace {

constexpr std::size_t kept_max = 64;

struct begun_note {
    const void* coroutine = nullptr;  // Null: it is free.
    stack_ends frames;
};
struct named_note {
    std::exception_ptr exception;  // Null: it is free.
    stack_ends frames;
};
struct note_tables {
    std::array<begun_note, kept_max> begun;
    std::array<named_note, kept_max> named;  // A ring.
    std::size_t next = 0;
};

// The lock is held for a walk through a table, and to copy a note. It is there for debugging, and under a flag.
struct notes {
    spin_lock lock;
    note_tables* tables = nullptr;

    begun_note* begun_by(const void* coroutine) noexcept {
        if (tables == nullptr) return nullptr;
        for (begun_note& one : tables->begun) {
            if (one.coroutine == coroutine) return &one;
        }
        return nullptr;
    }
    named_note* named(const std::exception_ptr& e) noexcept {
        if (tables == nullptr) return nullptr;
        for (named_note& one : tables->named) {
            if (one.exception == e) return &one;
        }
        return nullptr;
    }
};
constinit notes all;

// Two may come here at once: the second one's tables are dropped.
void make_tables() noexcept {
    note_tables* fresh = nullptr;
    try {
        fresh = off_heap_new<note_tables>();
    } catch (const std::bad_alloc&) {
        return;  // Then nothing is noted.
    }
    {
        const std::lock_guard hold(all.lock);
        if (all.tables == nullptr) all.tables = std::exchange(fresh, nullptr);
    }
    if (fresh != nullptr) off_heap_delete(fresh);
}

void begin_note(const void* coroutine) noexcept {
    bool is_made = false;
    {
        const std::lock_guard hold(all.lock);
        is_made = all.tables != nullptr;
    }
    if (!is_made) make_tables();
    stack_ends frames;
    unwind_ends_here(frames);
    const std::lock_guard hold(all.lock);
    begun_note* one = all.begun_by(coroutine);
    if (one == nullptr) one = all.begun_by(nullptr);
    if (one == nullptr) return;  // So many end by exceptions at once that one goes without.
    one->coroutine = coroutine;
    one->frames = frames;
}

}  // namespace

[[gnu::noinline]] std::exception_ptr name_throw(const std::exception_ptr& e) noexcept {
    WEFT_DEEP;
    std::exception_ptr dropped;
    const std::lock_guard hold(all.lock);
    begun_note* const mine = all.begun_by(this_thread_block()->current);
    if (mine == nullptr) return dropped;
    if (all.named(e) == nullptr) {
        named_note& one = all.tables->named[all.tables->next++ % kept_max];
        dropped = std::exchange(one.exception, e);
        one.frames = mine->frames;
    }
    mine->coroutine = nullptr;
    return dropped;
}

[[gnu::noinline]] void forget_throw() noexcept {
    WEFT_DEEP;
    const std::lock_guard hold(all.lock);
    if (begun_note* const mine = all.begun_by(this_thread_block()->current)) {
        mine->coroutine = nullptr;
    }
}

bool find_throw(const std::exception_ptr& e, stack_ends& frames) noexcept {
    if (e == nullptr) return false;
    const std::lock_guard hold(all.lock);
    const named_note* const one = all.named(e);
    if (one == nullptr) return false;
    frames = one->frames;
    return true;
}

void forget_throws() noexcept {
    note_tables* old = nullptr;
    {
        const std::lock_guard hold(all.lock);
        old = std::exchange(all.tables, nullptr);
    }
    if (old != nullptr) off_heap_delete(old);
}

extern "C" [[gnu::visibility("hidden")]] _Unwind_Reason_Code
weft_noting_personality(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception*,
                        _Unwind_Context*) noexcept {
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        if (const void* const self = this_thread_block()->current) begin_note(self);
    }
    return _URC_CONTINUE_UNWIND;
}

}  // namespace weft::detail
