#include "stack/segment_cache.hpp"

#include "stack/segment_pool.hpp"

#include <algorithm>

namespace weft::detail {

segment* segment_cache::take(unsigned c, segment_pool& pool) noexcept {
    list& l = lists[c];
    if (l.head == nullptr) {
        const std::int64_t wanted = std::max<std::int64_t>(l.room / 2, 1);
        segment* chain = pool.take(c, static_cast<std::size_t>(wanted));
        for (; chain != nullptr; --l.room) {
            segment* const one = chain;
            chain = one->link;
            one->link = l.head;
            l.head = one;
        }
        if (l.head == nullptr) return nullptr;
    }
    segment* const one = l.head;
    l.head = one->link;
    ++l.room;
    return one;
}

void segment_cache::give(segment& s, segment_pool& pool) noexcept {
    list& l = lists[s.size_class];
    s.link = l.head;
    l.head = &s;
    if (--l.room >= 0) return;
    // The older half goes, so that what is in the caches stays.
    const std::int64_t kept = capacity_of(s.size_class) / 2;
    segment* last = l.head;
    for (std::int64_t i = 1; i < kept; ++i) last = last->link;
    segment* const chain = last->link;
    last->link = nullptr;
    l.room = capacity_of(s.size_class) - std::max<std::int64_t>(kept, 1);
    pool.give(chain);
}

void segment_cache::empty_into(segment_pool& pool) noexcept {
    for (unsigned c = 0; c != SEGMENT_CLASSES; ++c) {
        pool.give(lists[c].head);
        lists[c] = {nullptr, capacity_of(c)};
    }
}

}  // namespace weft::detail
