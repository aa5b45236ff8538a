#include "gc/life/roots.hpp"

namespace weft::detail {

constinit std::array<root_list, 64> all_roots{};

namespace {

root_list& list_of(const gc_root_node& node) noexcept {
    // Roots lie 16 or 24 bytes apart at least; multiplication spreads those of one array over all lists.
    const auto mixed = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&node) >> 3) *
                       0x9e3779b97f4a7c15u;
    return all_roots[mixed >> 58];
}

}  // namespace

void gc_enlist(gc_root_node& node) noexcept { list_of(node).add(node); }

void gc_delist(gc_root_node& node) noexcept { list_of(node).remove(node); }

bool any_root() noexcept {
    for (root_list& list : all_roots) {
        if (list.any()) return true;
    }
    return false;
}

void lock_roots() noexcept {
    for (root_list& list : all_roots) list.lock();
}

void unlock_roots() noexcept {
    for (root_list& list : all_roots) list.unlock();
}

void forget_walks_of_roots() noexcept {
    for (root_list& list : all_roots) list.forget_walkers();
}

}  // namespace weft::detail
