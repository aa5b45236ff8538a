#include "stack/thrown.hpp"

#include <weft/detail/spin_lock.hpp>
#include <weft/detail/thread_block.hpp>

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"

#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <unwind.h>

namespace weft::detail {
namespace {

struct thrown {
    const void* who = nullptr;     // The coroutine that it ends, until it has a name.
    const void* object = nullptr;  // Its name. Null, and so is `who`: empty.
    bool again = false;            // By std::rethrow_exception: of an object that may have a note.
    stack_ends frames;
};

struct thrown_list {
    spin_lock lock;
    std::array<thrown, 64>* ring = nullptr;
    std::size_t next = 0;

    template <class Is>
    thrown* find(Is is) noexcept {
        if (ring == nullptr) return nullptr;
        for (thrown& one : *ring) {
            if (is(one)) return &one;
        }
        return nullptr;
    }
    thrown* begun_by(const void* who) noexcept {
        return find([who](const thrown& t) { return t.who == who && t.object == nullptr; });
    }
    thrown* named(const void* object) noexcept {
        return find([object](const thrown& t) { return t.object == object; });
    }
    // An empty one, else the oldest.
    thrown* take() noexcept {
        thrown* const empty = begun_by(nullptr);
        if (empty != nullptr || ring == nullptr) return empty;
        return &(*ring)[next++ % ring->size()];
    }
};
constinit thrown_list list;

// Outside of the lock. What is there by the time that it is taken stays.
void make_ring() noexcept {
    std::array<thrown, 64>* fresh = nullptr;
    try {
        fresh = off_heap_new<std::array<thrown, 64>>();
    } catch (const std::bad_alloc&) {
        return;  // Then nothing is noted.
    }
    {
        const std::lock_guard hold(list.lock);
        if (list.ring == nullptr) {
            list.ring = fresh;
            return;
        }
    }
    off_heap_delete(fresh);
}

// The last byte of a C++ runtime's class says whether the header refers to another exception's object.
bool is_thrown_again(_Unwind_Exception_Class what) noexcept { return (what & 0xff) != 0; }

void begin_note(const void* who, bool again) noexcept {
    bool is_made;
    {
        const std::lock_guard hold(list.lock);
        is_made = list.ring != nullptr;
    }
    if (!is_made) make_ring();
    stack_ends frames;
    unwind_ends_here(frames);
    const std::lock_guard hold(list.lock);
    thrown* one = list.begun_by(who);
    if (one == nullptr) one = list.take();
    if (one == nullptr) return;
    one->who = who;
    one->object = nullptr;
    one->again = again;
    one->frames = frames;
}

}  // namespace

const void* object_of(const std::exception_ptr& e) noexcept {
    // What all implementations have in it, and no interface tells.
    static_assert(sizeof e == sizeof(void*));
    const void* object;
    std::memcpy(&object, static_cast<const void*>(&e), sizeof object);
    return object;
}

[[gnu::noinline]] void name_throw(const std::exception_ptr& e) noexcept {
    WEFT_DEEP;
    const void* const object = object_of(e);
    const std::lock_guard hold(list.lock);
    thrown* const mine = list.begun_by(this_thread_block()->current);
    if (mine == nullptr) return;
    thrown* const before = list.named(object);
    if (before != nullptr && mine->again) {
        *mine = {};
        return;
    }
    if (before != nullptr) *before = {};  // Of an object that has been there before this one.
    mine->who = nullptr;
    mine->object = object;
}

[[gnu::noinline]] void forget_throw() noexcept {
    WEFT_DEEP;
    const std::lock_guard hold(list.lock);
    if (thrown* const mine = list.begun_by(this_thread_block()->current)) *mine = {};
}

bool find_throw(const void* object, stack_ends& frames) noexcept {
    if (object == nullptr) return false;
    const std::lock_guard hold(list.lock);
    const thrown* const one = list.named(object);
    if (one == nullptr) return false;
    frames = one->frames;
    return true;
}

extern "C" [[gnu::visibility("hidden")]] _Unwind_Reason_Code
weft_noting_personality(int, _Unwind_Action actions, _Unwind_Exception_Class what,
                        _Unwind_Exception*, _Unwind_Context*) noexcept {
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        if (const void* const self = this_thread_block()->current) {
            begin_note(self, is_thrown_again(what));
        }
    }
    return _URC_CONTINUE_UNWIND;
}

}  // namespace weft::detail
