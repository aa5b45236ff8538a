// The text of a snapshot.
#pragma once

#include "report/snapshot.hpp"
#include "report/symbols.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weft::detail {

class printer;

/// "coroutine 17 'parser'". Safe in signal handlers, but for the name's spin lock.
void print_coroutine(printer& out, const coroutine& c) noexcept;
/// "created at main.cpp:12". Likewise.
void print_origin(printer& out, const call_site& where) noexcept;

/// "join of coroutine 3", "mutex 0x5581"; "parked" when nobody has said.
void print_wait(printer& out, const coroutine_record& r) noexcept;
/// As print_origin, whatever the length.
void append_origin(std::string& text, const call_site& where);

/// Writes a snapshot piece by piece, so that no more text is held than that.
class dump_text {
public:
    explicit dump_text(const snapshot& what) noexcept : what_(what) {}

    /// The next piece, in `text`. False: that was all.
    [[nodiscard]] bool next(std::string& text);

private:
    void append(std::string& text, const coroutine_record& r);
    void append_frames(std::string& text, const coroutine_record& r);

    const snapshot& what_;
    std::size_t at_ = 0;
    symbols names_;

    struct seen_stack {
        const coroutine_record* first;
        std::uint64_t count;
    };
    std::unordered_multimap<std::uint64_t, seen_stack> stacks_;  // By hash.
};

/// SIGQUIT writes a dump to stderr and ends the process with status 2, if the program leaves the signal alone.
void install_quit() noexcept;
void remove_quit() noexcept;
/// scheduler_hooks::quit
[[noreturn]] void dump_and_quit() noexcept;

}  // namespace weft::detail
