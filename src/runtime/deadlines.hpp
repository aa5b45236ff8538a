// The inside of a deadline_section, for the files that make up with_timeout().
#pragma once

#include <weft/scope.hpp>

#include "sched/work_source.hpp"

#include <algorithm>
#include <cstdint>

namespace weft::detail {

/// Stops the tokens that were asked for in a section, when its deadline passes or the coroutine is asked to stop.
class deadline_stop {
public:
    deadline_stop() = default;
    deadline_stop(const deadline_stop&) = delete;
    deadline_stop& operator=(const deadline_stop&) = delete;
    /// Waits for a callback of the program's that is under way.
    virtual ~deadline_stop() = default;
};

struct deadline_access {
    [[nodiscard]] static std::int64_t when(const deadline_section& s) noexcept {
        return s.deadline_.time_since_epoch().count();
    }

    /// The earliest deadline among `innermost` and those around it; `never`.
    [[nodiscard]] static std::int64_t earliest(const deadline_section* innermost) noexcept {
        std::int64_t least = never;
        for (; innermost != nullptr; innermost = innermost->outer_) {
            least = std::min(least, when(*innermost));
        }
        return least;
    }

    /// Of the coroutine that is in it.
    [[nodiscard]] static deadline_stop*& stop(deadline_section& s) noexcept { return s.stop_; }
};

}  // namespace weft::detail
