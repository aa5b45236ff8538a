// The class of first segment that coroutines of one type get: what their programs turn out to need.
//
// A first segment of 1 KiB is enough for a coroutine that waits with 100 bytes of locals. One that waits with 300 grows, by
// 4 KiB, and holds 5; 2 KiB from the start would do. But whether one that grows needs a little more, or goes deep for a
// moment and waits with next to nothing, nobody knows before. So it is tried, for each type of closure by itself:
//
//     unknown   1 KiB, and the first coroutine that grows says so      -> two
//     two       2 KiB, and the first that grows all the same says so   -> one
//     one       1 KiB for good
//
// In the first two a first segment is marked: it names a class that never has a free segment, so that growing by a usual step
// comes to weft_slow_grow(), which learns. A coroutine that does not grow pays nothing for it. One frame that needs a large
// segment, and a call of other code, teach nothing: 2 KiB would not help them.
//
// Types that share an entry of the table share what is learned, which costs one of them a kilobyte or a growth each.
#pragma once

#include "base/relaxed.hpp"
#include "stack/segment.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct task_type;

class first_classes {
public:
    /// The class for the next coroutine of this type.
    [[nodiscard]] unsigned of(const task_type& type) const noexcept {
        return at(type) == two ? 1 : 0;
    }
    /// Returns true if a first segment of class `c` is to be marked.
    [[nodiscard]] bool learns(const task_type& type, unsigned c) const noexcept {
        return c == 0 ? at(type) == unknown : c == 1 && at(type) == two;
    }
    /// A coroutine of this type has grown from a marked first segment of class `c`.
    void learn(const task_type& type, unsigned c) noexcept {
        relaxed<state>& known = entries_[index_of(type)];
        if (c != 0) {
            known = one;
        } else if (known == unknown) {
            known = two;
        }
    }
    /// For tests.
    void forget() noexcept {
        for (relaxed<state>& known : entries_) known = unknown;
    }

private:
    enum state : std::uint8_t { unknown, two, one };

    [[nodiscard]] static std::size_t index_of(const task_type& type) noexcept {
        const auto address = reinterpret_cast<std::uintptr_t>(&type);
        return (address * 0x9e3779b97f4a7c15U) >> (64 - log2_size);
    }
    [[nodiscard]] state at(const task_type& type) const noexcept {
        return entries_[index_of(type)];
    }

    static constexpr unsigned log2_size = 10;
    std::array<relaxed<state>, std::size_t{1} << log2_size> entries_{};
};

}  // namespace weft::detail
