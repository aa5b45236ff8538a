// The wait of a coroutine in words.
#pragma once

#include "report/snapshot.hpp"

#include <cstdint>
#include <string_view>

namespace weft::detail {

class printer;

/// Prints "coroutine 17 'parser'", with the name that the snapshot has for that id.
void print_id(printer& out, const snapshot& all, std::uint64_t id) noexcept;

/// Prints "join of coroutine 3 'x'", "mutex 0x5581, held by coroutine 1 'main'" or "select of 0x12 (receive)"; "parked"
/// when nobody has said. Without `with_object` the kind alone.
void print_wait(printer& out, const snapshot& all, const coroutine_record& r,
                bool with_object = true) noexcept;

/// Prints ", 3 s" or ", 4 minutes"; nothing below a second.
void print_duration(printer& out, std::string_view before, std::int64_t ns) noexcept;

/// The function of weft's interface in which a coroutine waits; empty when that may be several.
[[nodiscard]] std::string_view operation_of(const coroutine_record& r) noexcept;

}  // namespace weft::detail
