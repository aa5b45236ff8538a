#include "gc/heap/central.hpp"

#include "base/cache_line.hpp"
#include "gc/heap/sweep.hpp"

#include <weft/detail/spin_lock.hpp>

#include <array>
#include <mutex>

namespace weft::detail {
namespace {

struct alignas(cache_line) central_list {
    spin_lock lock;
    std::atomic<page_number> first{no_page};  // Through the records' `size`.
};

constinit std::array<central_list, gc_layouts> lists;

}  // namespace

page_number take_central(unsigned layout, std::uint8_t epoch) noexcept {
    central_list& list = lists[layout];
    // Without the lock at first: mostly there is none.
    if (list.first.load(std::memory_order_relaxed) == no_page) return no_page;
    const std::lock_guard hold(list.lock);
    const page_number page = list.first.load(std::memory_order_relaxed);
    if (page == no_page || epoch != present_epoch()) return no_page;
    list.first.store(static_cast<page_number>(arena.record_of(page).size.get()),
                     std::memory_order_relaxed);
    return page;
}

void add_to_central(unsigned layout, page_number page, std::uint8_t epoch) noexcept {
    central_list& list = lists[layout];
    const std::lock_guard hold(list.lock);
    if (epoch != present_epoch()) return;
    arena.record_of(page).size = list.first.load(std::memory_order_relaxed);
    list.first.store(page, std::memory_order_relaxed);
}

void lock_central() noexcept {
    for (central_list& list : lists) list.lock.lock();
}
void unlock_central() noexcept {
    for (central_list& list : lists) list.lock.unlock();
}

void empty_central() noexcept {
    for (central_list& list : lists) {
        const std::lock_guard hold(list.lock);
        list.first.store(no_page, std::memory_order_relaxed);
    }
}

}  // namespace weft::detail
