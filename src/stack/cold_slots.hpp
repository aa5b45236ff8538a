// Which free slots of an arena have no pages, by groups that share a page table.
//
// The kernel has a table of 4 KiB for each 2 MiB of addresses that were ever touched, so a spike of coroutines leaves 4 KiB for
// eight slots of 256 KiB behind, and two million of them 1 GiB. It takes a table back (since Linux 6.14) when all of its
// 2 MiB are given back by one call and have no guards. So a group whose slots are all cold for a while is stripped of
// its guards, and each slot gets a new one when it is taken: it is `bare` until then.
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
        std::array<std::uint64_t, 2> cold{};  // A bit for each slot,
        std::array<std::uint64_t, 2> bare{};  // and that for a cold one without a guard.
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

    /// For `count` slots, the first of which begins at a multiple of group_bytes(). Returns false if memory ends.
    [[nodiscard]] bool reserve(std::size_t count, unsigned log2_size) noexcept;
    void release() noexcept;

    void put(std::uint32_t slot) noexcept;
    [[nodiscard]] std::optional<taken> take() noexcept;

    /// Groups that become full from now on are of another round.
    void begin_round() noexcept { ++round_; }
    /// One that was full already when the last round began, and is the caller's until stripped(); null if there is none.
    [[nodiscard]] group* take_full() noexcept;
    void stripped(group& g, bool guards_have_gone) noexcept;

    /// Where it begins, from the first slot on.
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
