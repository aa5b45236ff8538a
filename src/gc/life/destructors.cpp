#include "gc/life/destructors.hpp"

#include <weft/detail/gc_barrier.hpp>
#include <weft/detail/gc_type.hpp>
#include <weft/detail/spin_lock.hpp>

#include "arch/calls.hpp"
#include "base/off_heap.hpp"
#include "gc/heap/dead.hpp"
#include "gc/heap/object.hpp"
#include "gc/life/cleanup.hpp"
#include "gc/life/weak.hpp"
#include "gc/mark/marker.hpp"
#include "mem/page_array.hpp"
#include "os/clock.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>

namespace weft::detail {
namespace {

struct entry {
    std::byte* object;  // Its slot.
    const gc_type* type;
    std::size_t count;
    cleanup_node* behind;  // Cleanups that wait for this destructor.
};

// The destructors that one cycle has found due.
struct batch {
    page_array<entry> entries;
    std::size_t left = 0;  // The entries before this one are due: they are taken from the end.
    cleanup_node* cleanups = nullptr;  // Behind the entries.
    batch* next = nullptr;
};

// A coroutine that runs a destructor or a cleanup; lies on its stack.
struct runner {
    entry what;
    std::int64_t since_ns = 0;
    runner* previous = nullptr;
    runner* next = nullptr;
};

// Cleanups in their order.
class cleanup_queue {
public:
    constexpr cleanup_queue() noexcept = default;
    cleanup_queue(const cleanup_queue&) = delete;
    cleanup_queue& operator=(const cleanup_queue&) = delete;

    void push(cleanup_node* list) noexcept {
        *end_ = list;
        while (*end_ != nullptr) end_ = &(*end_)->next;
    }
    cleanup_node* pop() noexcept {
        cleanup_node* const node = first_;
        if (node == nullptr) return nullptr;
        first_ = node->next;
        node->next = nullptr;
        if (first_ == nullptr) end_ = &first_;
        return node;
    }
    cleanup_node* take_all() noexcept {
        end_ = &first_;
        return std::exchange(first_, nullptr);
    }

private:
    cleanup_node* first_ = nullptr;
    cleanup_node** end_ = &first_;
};

struct {
    spin_lock lock;
    batch* first = nullptr;
    batch** end = &first;
    cleanup_queue ready;
    runner* running = nullptr;  // The one that began last comes first.
    unsigned walkers = 0;       // Batches that are used up stay while somebody walks.
    std::uint64_t run = 0;
    std::uint64_t pending = 0;
} constinit self;

// The dead objects with destructors, by address.
class dead_objects {
public:
    // Returns false if there is no memory for all of them. The others die again in the next cycle; for this one they
    // are marked, because those that are listed may reach them.
    void collect(marker& m) {
        for_each_dead_destructible([&](const object_ref& object) {
            try {
                slots_.push_back(object.base);
            } catch (const std::bad_alloc&) {
                static_cast<void>(m.grey(reinterpret_cast<std::uintptr_t>(object.base)));
            }
        });
        std::byte** const first = slots_.data();
        if (!std::is_sorted(first, first + slots_.size())) std::sort(first, first + slots_.size());
    }

    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
    [[nodiscard]] std::byte* operator[](std::size_t i) noexcept { return slots_[i]; }
    [[nodiscard]] bool has(std::byte* slot) noexcept {
        return std::binary_search(slots_.data(), slots_.data() + slots_.size(), slot);
    }

private:
    page_array<std::byte*> slots_;
};

// One object on the way of the walk, and which of its words comes next.
struct step {
    std::byte* object;
    std::uint32_t next;
    std::uint32_t
        end;  // In words; of objects above 32 GB not all words are walked. What is left is marked in any order.
};

// The depth-first walk: see the header.
class dead_walk {
public:
    dead_walk(marker& m, dead_objects& dead, page_array<entry>& order) noexcept
        : marker_(m), dead_(dead), order_(order) {}

    void from(std::byte* start) {
        enter(start);
        while (!path_.empty()) {
            step& at = path_.back();
            if (at.next == at.end) {
                std::byte* const done = at.object;
                path_.pop_back();
                finish(done);
                continue;
            }
            enter(reinterpret_cast<std::byte*>(read(at.object, at.next++)));
        }
    }

private:
    // Nobody else reads or writes dead objects. What looks dead by a word that only looks like a pointer may be a
    // free slot, though, which somebody is about to be given; so the read is an atomic one.
    static std::uintptr_t read(std::byte* object, std::uint32_t word) noexcept {
        return __atomic_load_n(reinterpret_cast<std::uintptr_t*>(object) + word, __ATOMIC_RELAXED);
    }

    // Goes on with the object that the address points into, if it has not been reached before.
    void enter(std::byte* address) {
        const auto word = reinterpret_cast<std::uintptr_t>(address);
        object_ref found;
        if (!find_object(word, found) || is_marked(found) || !marker_.grey(word)) return;
        const std::size_t words =
            found.kind() == gc_kind::pointer_free ? 0 : found.size / sizeof(std::uintptr_t);
        try {
            path_.push_back({found.base, 0,
                             static_cast<std::uint32_t>(std::min<std::size_t>(words, UINT32_MAX))});
        } catch (const std::bad_alloc&) {
            finish(found.base);  // The marker has it in its queue.
        }
    }

    void finish(std::byte* slot) noexcept {
        object_ref found;
        if (!find_object(reinterpret_cast<std::uintptr_t>(slot), found) ||
            found.kind() != gc_kind::destructible || !dead_.has(slot)) {
            return;
        }
        gc_trailer& trailer = trailer_of(found);
        try {
            order_.push_back({slot, trailer.type, trailer.count, nullptr});
            __atomic_store_n(&trailer.type, nullptr, __ATOMIC_RELAXED);
        } catch (const std::bad_alloc&) {
            // It keeps its type, and is found dead again by the next cycle.
        }
    }

    marker& marker_;
    dead_objects& dead_;
    page_array<entry>& order_;
    page_array<step> path_;
};

// Hangs the cleanups of objects that are about to be destroyed behind their destructors; returns the others, in the
// order in which they were arranged.
cleanup_node* place_cleanups(cleanup_node* cleared, page_array<entry>& order) noexcept {
    if (cleared == nullptr || order.empty()) return cleared;
    page_array<entry*> by_address;
    try {
        for (std::size_t i = 0; i != order.size(); ++i) by_address.push_back(&order[i]);
    } catch (const std::bad_alloc&) {
        return cleared;  // They run when the destructors of this cycle have begun.
    }
    entry** const first = by_address.data();
    entry** const end = first + by_address.size();
    std::sort(first, end, [](const entry* a, const entry* b) { return a->object < b->object; });
    cleanup_node* others = nullptr;
    cleanup_node** last = &others;
    while (cleared != nullptr) {
        cleanup_node* const node = cleared;
        cleared = node->next;
        node->next = nullptr;
        entry** const found =
            std::lower_bound(first, end, node->object,
                             [](const entry* e, const void* object) { return e->object < object; });
        if (found != end && (*found)->object == node->object) {
            node->next = (*found)->behind;
            (*found)->behind = node;
        } else {
            *last = node;
            last = &node->next;
        }
    }
    return others;
}

// Under the lock: forgets batches that are used up, from the front. Returns them, for their memory to be given back
// without the lock.
batch* take_used_up() noexcept {
    if (self.walkers != 0) return nullptr;
    batch* const first = self.first;
    batch** at = &self.first;
    for (; *at != nullptr && (*at)->left == 0; at = &(*at)->next) {
        self.ready.push(std::exchange((*at)->cleanups, nullptr));
    }
    if (at == &self.first) return nullptr;
    self.first = *at;
    *at = nullptr;
    if (self.first == nullptr) self.end = &self.first;
    return first;
}

void free_batches(batch* first) noexcept {
    while (first != nullptr) {
        batch* const next = first->next;
        off_heap_delete(first);
        first = next;
    }
}

// Under the lock: the next entry; one without a type is a cleanup. False if there is none.
bool take_next(entry& what) noexcept {
    for (batch* b = self.first;; b = b->next) {
        // What is ready stands behind the destructors of its cycle, and before those of later ones.
        if (cleanup_node* const node = self.ready.pop()) {
            what = {nullptr, nullptr, 0, node};
            return true;
        }
        if (b == nullptr) return false;
        if (b->left != 0) {
            what = b->entries[--b->left];
            return true;
        }
        self.ready.push(std::exchange(b->cleanups, nullptr));
    }
}

// One that runs, from its being taken to the end, also by an exception.
class running {
public:
    running() noexcept {
        const std::lock_guard hold(self.lock);
        taken_ = take_next(mine_.what);
        if (!taken_) return;
        mine_.since_ns = monotonic_ns();
        mine_.next = self.running;
        if (mine_.next != nullptr) mine_.next->previous = &mine_;
        self.running = &mine_;
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    ~running() {
        batch* used_up = nullptr;
        {
            const std::lock_guard hold(self.lock);
            if (taken_) {
                if (mine_.next != nullptr) mine_.next->previous = mine_.previous;
                (mine_.previous == nullptr ? self.running : mine_.previous->next) = mine_.next;
                if (mine_.what.type != nullptr) {
                    ++self.run;
                    --self.pending;
                    self.ready.push(mine_.what.behind);
                }
            }
            used_up = take_used_up();
        }
        free_batches(used_up);
    }

    [[nodiscard]] bool taken() const noexcept { return taken_; }
    [[nodiscard]] const entry& what() const noexcept { return mine_.what; }

private:
    runner mine_{};
    bool taken_ = false;
};

}  // namespace

std::size_t order_dead(marker& m) noexcept {
    batch* b = nullptr;
    try {
        b = off_heap_new<batch>();
    } catch (const std::bad_alloc&) {
        // Nothing is taken out of its trailer, so all of it is found again by the next cycle. Until then it has to
        // live.
        for_each_dead_destructible([&](const object_ref& object) {
            static_cast<void>(m.grey(reinterpret_cast<std::uintptr_t>(object.base)));
        });
    }
    cleanup_node* others = take_cleared_cleanups();
    if (b != nullptr) {
        dead_objects dead;
        dead.collect(m);
        dead_walk walk(m, dead, b->entries);
        for (std::size_t i = 0; i != dead.size(); ++i) walk.from(dead[i]);
        others = place_cleanups(others, b->entries);
    }
    std::size_t cleanups = 0;
    for (const cleanup_node* n = others; n != nullptr; n = n->next) ++cleanups;
    const std::size_t destructors = b == nullptr ? 0 : b->entries.size();
    batch* unused = nullptr;
    {
        const std::lock_guard hold(self.lock);
        if (destructors == 0) {
            self.ready.push(others);
            unused = b;
        } else {
            b->left = destructors;
            b->cleanups = others;
            *self.end = b;
            self.end = &b->next;
            self.pending += destructors;
        }
    }
    free_batches(unused);
    return destructors + cleanups;
}

bool run_next_destructor() {
    const running one;
    if (!one.taken()) return false;
    const entry& what = one.what();
    if (what.type == nullptr) {
        run_cleanup(*what.behind);
        return true;
    }
    // It moves from a root to this stack, which may have been scanned.
    gc_stored(what.object);
    call_user([&what] { what.type->destroy(what.object, what.count); });
    return true;
}

void lock_destructors() noexcept { self.lock.lock(); }
void unlock_destructors() noexcept { self.lock.unlock(); }

std::uint64_t destructors_run() noexcept {
    const std::lock_guard hold(self.lock);
    return self.run;
}

std::uint64_t destructors_pending() noexcept {
    const std::lock_guard hold(self.lock);
    return self.pending;
}

running_destructor oldest_running_destructor() noexcept {
    running_destructor oldest;
    const std::lock_guard hold(self.lock);
    for (const runner* r = self.running; r != nullptr; r = r->next) {
        if (oldest.since_ns == 0 || r->since_ns < oldest.since_ns) {
            oldest = {r->what.type, r->since_ns};
        }
    }
    return oldest;
}

void forget_destructors() noexcept {
    batch* dropped = nullptr;
    cleanup_node* ready = nullptr;
    {
        const std::lock_guard hold(self.lock);
        dropped = self.first;
        self.first = nullptr;
        self.end = &self.first;
        ready = self.ready.take_all();
        self.pending = 0;
        self.running = nullptr;  // Of a simulation that was abandoned.
        self.walkers = 0;
    }
    drop_cleanups(ready);
    for (batch* b = dropped; b != nullptr; b = b->next) {
        for (std::size_t i = 0; i != b->left; ++i) drop_cleanups(b->entries[i].behind);
        drop_cleanups(b->cleanups);
    }
    free_batches(dropped);
}

void visit_pending(void (*f)(void* argument, const void* object), void* argument) noexcept {
    constexpr std::size_t at_once = 64;
    self.lock.lock();
    ++self.walkers;
    for (batch* b = self.first; b != nullptr; b = b->next) {
        // Entries go from the end, so what has an index now and is still there keeps it.
        for (std::size_t i = 0; i < b->left; ++i) {
            f(argument, b->entries[i].object);
            if (i % at_once == at_once - 1) {
                self.lock.unlock();
                self.lock.lock();
            }
        }
    }
    // After the entries: an object that was taken meanwhile is here, or its destructor has returned.
    for (const runner* r = self.running; r != nullptr; r = r->next) {
        if (r->what.object != nullptr) f(argument, r->what.object);
    }
    --self.walkers;
    batch* const used_up = take_used_up();
    self.lock.unlock();
    free_batches(used_up);
}

}  // namespace weft::detail
