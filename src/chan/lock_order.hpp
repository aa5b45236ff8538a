// The order in which a select locks its channels: by address, so that two selects never wait for each other.
//
// A few are sorted by insertion, because they are mostly in order. Of many that would take time in proportion to the square
// of their number, so they are sorted by a heap, which needs neither memory nor stack. A select_set keeps its order from
// one wait to the next, and then only looks whether it still is one.
#pragma once

#include <weft/detail/select_core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace weft::detail {

inline constexpr std::size_t few_to_sort = 16;

using lock_before = std::less<channel_core*>;

/// The channels of all cases, sorted into `lock_order`.
template <class Less = lock_before>
void sort_locks(std::span<select_case> cases, Less less = {}) noexcept {
    const std::size_t count = cases.size();
    if (count <= few_to_sort) {
        for (std::size_t i = 0; i != count; ++i) {
            channel_core* const one = cases[i].channel;
            std::size_t at = i;
            for (; at != 0 && less(one, cases[at - 1].lock_order); --at) {
                cases[at].lock_order = cases[at - 1].lock_order;
            }
            cases[at].lock_order = one;
        }
        return;
    }
    for (select_case& one : cases) one.lock_order = one.channel;
    // The greatest on top: fills the hole at `at` of the first `end` with `value` or the greatest below it.
    const auto sink = [&](std::size_t at, std::size_t end, channel_core* value) {
        for (;;) {
            std::size_t child = 2 * at + 1;
            if (child >= end) break;
            if (child + 1 != end && less(cases[child].lock_order, cases[child + 1].lock_order))
                ++child;
            if (!less(value, cases[child].lock_order)) break;
            cases[at].lock_order = cases[child].lock_order;
            at = child;
        }
        cases[at].lock_order = value;
    };
    for (std::size_t at = count / 2; at-- != 0;) sink(at, count, cases[at].lock_order);
    for (std::size_t end = count - 1; end != 0; --end) {
        channel_core* const last = cases[end].lock_order;
        cases[end].lock_order = cases[0].lock_order;
        sink(0, end, last);
    }
}

/// The same, from the order of the last time: `order` says where in the table the first to lock is, and so on. It is made
/// again if it is none any more. Throws std::bad_alloc.
template <class Less = lock_before>
void order_locks(std::span<select_case> cases, std::vector<std::uint32_t>& order, Less less = {}) {
    if (order.size() != cases.size()) {
        order.resize(cases.size());
        std::iota(order.begin(), order.end(), 0U);
    }
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        return less(cases[a].channel, cases[b].channel);
    };
    if (!std::ranges::is_sorted(order, before)) {
        std::ranges::make_heap(order, before);
        std::ranges::sort_heap(order, before);
    }
    for (std::size_t i = 0; i != cases.size(); ++i) cases[i].lock_order = cases[order[i]].channel;
}

}  // namespace weft::detail
