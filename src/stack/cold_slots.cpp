#include "stack/cold_slots.hpp"

#include "os/memory.hpp"

#include <bit>
#include <type_traits>

namespace weft::detail {
namespace {

// The kernel's zeroes are empty groups.
static_assert(std::is_trivially_copyable_v<cold_slots::group>);

std::size_t table_bytes(std::size_t groups) noexcept {
    return (groups * sizeof(cold_slots::group) + page_size - 1) / page_size * page_size;
}

}  // namespace

bool cold_slots::reserve(std::size_t count, unsigned log2_size) noexcept {
    const std::size_t bytes = group_bytes(log2_size);
    log2_size_ = log2_size;
    in_group_ = static_cast<std::uint32_t>(bytes >> log2_size);
    group_count_ = (count + in_group_ - 1) / in_group_;
    void* const memory = reserve_pages(table_bytes(group_count_), page_size, "group-table");
    if (memory == nullptr) return false;
    keep_out_of_core(memory, table_bytes(group_count_));
    groups_ = static_cast<group*>(memory);
    return true;
}

void cold_slots::release() noexcept {
    if (groups_ != nullptr) release_pages(groups_, table_bytes(group_count_));
    *this = {};
}

void cold_slots::put(std::uint32_t slot) noexcept {
    group& g = groups_[slot / in_group_];
    const std::uint32_t i = slot % in_group_;
    g.cold[i / 64] |= std::uint64_t{1} << i % 64;
    if (g.count++ == 0) partly_.push_front(g);
    if (g.count != in_group_) return;
    partly_.remove(g);
    full_.push_front(g);
    g.full_since = round_;
}

std::optional<cold_slots::taken> cold_slots::take() noexcept {
    linked_list<group>* list = &partly_;
    if (list->empty()) list = &full_;
    if (list->empty()) list = &bare_;
    if (list->empty()) return {};
    group& g = *list->first();
    const std::size_t word = g.cold[0] != 0 ? 0 : 1;
    const std::uint64_t bit = g.cold[word] & -g.cold[word];
    const auto i =
        static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(std::countr_zero(bit));
    const bool bare = (g.bare[word] & bit) != 0;
    g.cold[word] &= ~bit;
    g.bare[word] &= ~bit;
    if (list != &partly_) {
        list->remove(g);
        partly_.push_front(g);
    }
    if (--g.count == 0) partly_.remove(g);
    return taken{static_cast<std::uint32_t>(&g - groups_) * in_group_ + i, bare};
}

cold_slots::group* cold_slots::take_full() noexcept {
    group* const g = full_.last();
    if (g == nullptr || g->full_since + 1 >= round_) return nullptr;
    full_.remove(*g);
    return g;
}

void cold_slots::stripped(group& g, bool guards_have_gone) noexcept {
    if (guards_have_gone) g.bare = g.cold;
    bare_.push_front(g);
}

}  // namespace weft::detail
