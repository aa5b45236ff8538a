// How long those in a queue have waited, in turns: exactly while they are young, and all others together.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// No turn: nothing is there.
inline constexpr std::uint64_t no_turn = UINT64_MAX;

/// Counts what lies in a queue in the order in which it came, by the turn in which it came. Not synchronised.
template <std::uint64_t most>
class ages {
    static_assert((most & (most - 1)) == 0, "came_in() should compile to a mask");

public:
    constexpr ages() noexcept = default;

    void add(std::size_t count, std::uint64_t turn) noexcept {
        advance(turn);
        came_in(turn_) += count;
    }
    /// So many have been taken, those that came last.
    void take_newest(std::size_t count) noexcept {
        for (std::uint64_t age = 0; age != most && count != 0; ++age) {
            count -= take_from(came_in(turn_ + most - age), count);
        }
        older_ -= count;
    }
    /// Those that came first.
    void take_oldest(std::size_t count) noexcept {
        count -= take_from(older_, count);
        for (std::uint64_t age = most; age-- != 0 && count != 0;) {
            count -= take_from(came_in(turn_ + most - age), count);
        }
    }

    /// In which turn the oldest came, or, when that is more than `most` ago, so many before the present one; `no_turn`.
    [[nodiscard]] std::uint64_t oldest() noexcept {
        if (older_ != 0) return turn_ - std::min(turn_, most);
        for (std::uint64_t age = most; age-- != 0;) {
            if (came_in(turn_ + most - age) != 0) return turn_ - std::min(turn_, age);
        }
        return no_turn;
    }

    void advance(std::uint64_t turn) noexcept {
        // Turns are read without a lock, so one may be a little behind.
        if (turn <= turn_) return;
        for (std::uint64_t n = std::min(turn - turn_, most); n != 0; --n) {
            std::size_t& here = came_in(++turn_);
            older_ += here;
            here = 0;
        }
        turn_ = turn;
    }

private:
    std::size_t& came_in(std::uint64_t turn) noexcept { return by_turn_[turn % most]; }
    static std::size_t take_from(std::size_t& there, std::size_t count) noexcept {
        const std::size_t taken = std::min(there, count);
        there -= taken;
        return taken;
    }

    std::array<std::size_t, most> by_turn_{};
    std::size_t older_ = 0;
    std::uint64_t turn_ = 0;
};

}  // namespace weft::detail
