// A standstill: coroutines wait for a processor, or for a place among the blocking calls, and none comes free.
//
// All processors are held by threads that do not respond, and as many have been added as options.max_compensation allows;
// or as many blocking calls are under way as options.max_blocking allows, and more wait in line. If what they wait for is
// done by one of those behind, that is for ever, and it is no deadlock that anybody could see: a thread of the system may
// always go on. So the monitor says so once nothing has moved for a second: how many, where they are, and which option
// there is. While other coroutines still run, it says so of the line of blocking calls after ten seconds in which none has ended.
//
// Until one of the two is used up it costs the lock of the blocking calls and two comparisons, each turn.
#pragma once

#include <cstdint>

namespace weft::detail {

class standstill_watch {
public:
    /// A look at whether something moves, each turn. The monitor only.
    void look(std::int64_t now);
    /// Until when all that it needs to know will have happened; `never` while there is nothing to watch.
    [[nodiscard]] std::int64_t due() const noexcept { return due_; }

private:
    struct one {
        std::uint64_t moved = 0;   // The count of what moves, when it was last seen to change,
        std::int64_t since = 0;    // and when that was; 0: it is not watched.
        std::int64_t said_at = 0;  // When it was last reported; 0: never.
        bool said = false;         // This standstill has been.

        /// Whether nothing has changed for `ns`, and this is to be said now.
        bool stands(std::uint64_t count, std::int64_t now, std::int64_t ns) noexcept;
        void forget() noexcept { since = 0; }
    };

    one processors_;
    one line_;       // The line of blocking calls, and everything else as well,
    one line_only_;  // or just the line.
    std::int64_t due_ = INT64_MAX;
};

}  // namespace weft::detail
