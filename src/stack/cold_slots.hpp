// Which free slots of an arena have no pages, by groups that share a page table.
//
// The kernel has a table of 4 KiB for each 2 MiB of addresses that were ever touched, so a spike of two million coroutines leaves
// 1 GiB of them behind. It takes a table back (since Linux 6.14) when one call gives back all of its 2 MiB and they
// have no guards. So a group whose slots have all been cold for a while is stripped of its guards, and each slot gets a
// new one when it is taken: it is `bare` until then.
//
// Invariant: a group is in no list if none of its slots is cold, or while it is being stripped; else in `partly_`, or, when all are
// cold, in `full_` or `bare_`. take() uses those first that are partly cold, so that a group once full stays so.
//
// Not synchronised: the arena's lock guards it.
#pragma once

#include "base/linked_list.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weft::detail {

class cold_slots {
public:
    /// The slots that share a page table, or one that needs several.
    struct group {
        group* previous = nullptr;
        group* next = nullptr;
        std::array<std::uint64_t, 2> cold{};  // A bit for each slot that is cold.
        std::array<std::uint64_t, 2> bare{};  // A bit for each that is cold and has no guard.
        std::uint64_t full_since = 0;         // In which round it became so.
        std::uint32_t count = 0;              // Cold ones.
    };
    struct taken {
        std::uint32_t number;
        bool bare;
    };

    /// How many bytes of addresses a group has, for slots of this size.
    [[nodiscard]] static constexpr std::size_t group_bytes(unsigned log2_size) noexcept {
        return std::size_t{1} << (log2_size < table_log2 ? table_log2 : log2_size);
    }

    /// Makes room for `count` slots. The first must begin at a multiple of group_bytes(), unless all of them are less than a
    /// group. Returns false if memory ends.
    [[nodiscard]] bool reserve(std::size_t count, unsigned log2_size) noexcept;
    void release() noexcept;

    void put(std::uint32_t slot) noexcept;
    [[nodiscard]] std::optional<taken> take() noexcept;

    /// Begins another round for the groups that become full from now on.
    void begin_round() noexcept { ++round_; }
    /// Returns a group that has been full for a whole round, from its beginning to its end; null if there is none. The caller
    /// has it until stripped().
    [[nodiscard]] group* take_full() noexcept;
    void stripped(group& g, bool guards_have_gone) noexcept;

    /// How many bytes behind the first slot it begins.
    [[nodiscard]] std::size_t offset_of(const group& g) const noexcept {
        return static_cast<std::size_t>(&g - groups_) * group_bytes(log2_size_);
    }

private:
    static constexpr unsigned table_log2 = 21;

    unsigned log2_size_ = 0;
    std::size_t group_count_ = 0;
    std::uint32_t in_group_ = 0;  // Slots of a group.
    group* groups_ = nullptr;     // Untouched where there was no cold slot.
    linked_list<group> partly_;
    linked_list<group> full_;  // Those that became so last come first.
    linked_list<group> bare_;
    std::uint64_t round_ = 1;
};

}  // namespace weft::detail
