// The text of a snapshot.
#pragma once

#include "report/groups.hpp"
#include "report/snapshot.hpp"
#include "report/symbols.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::detail {

/// How a snapshot is written.
enum class dump_style : std::uint8_t {
    grouped,  // A block for those that are alike; see groups.hpp.
    full,     // A block for each.
};

/// Returns what WEFT_DEBUG=dump says.
[[nodiscard]] dump_style asked_style() noexcept;

/// Appends what stands above the blocks: rings of waits and exceptions that nobody has taken, a line each, and an empty
/// line if there are any.
void append_findings(std::string& text, const snapshot& all, bool at_rest);

/// Writes a snapshot piece by piece, so that no more text is held than that.
class dump_text {
public:
    /// Writes `blocks_max` blocks at most, and then how many coroutines are left. Throws std::bad_alloc.
    explicit dump_text(const snapshot& what, dump_style style, std::size_t blocks_max = SIZE_MAX);

    /// Puts the next piece into `text`. Returns false if that was the last.
    [[nodiscard]] bool next(std::string& text);

private:
    void append(std::string& text, const coroutine_record& r);
    void append(std::string& text, const coroutine_group& g);
    void append_frames(std::string& text, const coroutine_record& r);
    void append_rest(std::string& text);
    [[nodiscard]] std::uint64_t stack_number(const coroutine_record& r);

    const snapshot& what_;
    const dump_style style_;
    const std::size_t blocks_max_;
    std::vector<coroutine_group> groups_;
    std::size_t at_ = 0;  // The next group, or coroutine.
    symbols names_;

    // Stacks by the hash of their frames.
    struct seen_stack {
        const coroutine_record* first;
        std::uint64_t count;
        std::uint64_t number;
    };
    std::unordered_multimap<std::uint64_t, seen_stack> stacks_;
    seen_stack& seen(const coroutine_record& r, std::span<const std::uintptr_t> frames);
};

/// SIGQUIT writes a dump to stderr and ends the process with status 2, if the program leaves the signal alone; with
/// WEFT_DEBUG=sigquit=1 also if it is ignored.
void install_quit() noexcept;
void remove_quit() noexcept;
/// scheduler_hooks::quit
[[noreturn]] void dump_and_quit() noexcept;

}  // namespace weft::detail
