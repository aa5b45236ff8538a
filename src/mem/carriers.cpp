#include "mem/carriers.hpp"

#include <weft/detail/spin_lock.hpp>
#include <weft/detail/thread_block.hpp>

#include "base/cache_line.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

namespace weft::detail {
namespace {

struct ring_link {
    ring_link* next;
    ring_link* previous;
};

void insert_behind(ring_link& at, ring_link& one) noexcept {
    one.next = at.next;
    one.previous = &at;
    at.next->previous = &one;
    at.next = &one;
}
void take_out(ring_link& one) noexcept {
    one.next->previous = one.previous;
    one.previous->next = one.next;
}

struct header : ring_link {
    void* allocation;  // Null: the collector's mark.
    std::size_t size;
    std::size_t shard;
};

constexpr std::size_t shards = 64;
constexpr unsigned step = 32;

struct alignas(cache_line) shard {
    spin_lock lock;
    ring_link ends{&ends, &ends};
};
constinit std::array<shard, shards> lists{};

// Threads that make many at once mostly have different ones. A coroutine may free what another thread has made.
std::size_t shard_of_this_thread() noexcept {
    return (reinterpret_cast<std::uintptr_t>(this_thread_block()) >> 12) % shards;
}

header& header_of(void* memory) noexcept { return static_cast<header*>(memory)[-1]; }

}  // namespace

void* allocate_carrier(std::size_t size, std::size_t align) {
    align = std::max(align, alignof(header));
    const std::size_t before = (sizeof(header) + align - 1) & ~(align - 1);
    auto* const allocation =
        static_cast<std::byte*>(off_heap_allocate_zeroed(before + size, align));
    void* const memory = allocation + before;
    header& h = header_of(memory);
    h.allocation = allocation;
    h.size = size;
    h.shard = shard_of_this_thread();
    shard& list = lists[h.shard];
    const std::lock_guard hold(list.lock);
    insert_behind(list.ends, h);
    return memory;
}

void free_carrier(void* memory) noexcept {
    if (memory == nullptr) return;
    header& h = header_of(memory);
    shard& list = lists[h.shard];
    {
        const std::lock_guard hold(list.lock);
        take_out(h);
    }
    off_heap_free(h.allocation);
}

void for_each_carrier(void (*see)(void* context, const void* low, const void* high) noexcept,
                      void* context) noexcept {
    header mark{};
    for (shard& list : lists) {
        list.lock.lock();
        insert_behind(list.ends, mark);
        for (bool more = true; more;) {
            for (unsigned i = 0; i != step && more; ++i) {
                ring_link& one = *mark.next;
                take_out(mark);
                more = &one != &list.ends;
                if (!more) break;
                insert_behind(one, mark);
                const header& h = static_cast<header&>(one);
                const auto* const low = reinterpret_cast<const std::byte*>(&h + 1);
                see(context, low, low + h.size);
            }
            // Lets those in who wait for the lock.
            list.lock.unlock();
            if (more) list.lock.lock();
        }
    }
}

void lock_carriers() noexcept {
    for (shard& list : lists) list.lock.lock();
}

void unlock_carriers() noexcept {
    for (shard& list : lists) list.lock.unlock();
}

void forget_walks_of_carriers() noexcept {
    for (shard& list : lists) {
        for (ring_link* one = list.ends.next; one != &list.ends;) {
            ring_link* const next = one->next;
            if (static_cast<header*>(one)->allocation == nullptr) take_out(*one);
            one = next;
        }
    }
}

}  // namespace weft::detail
