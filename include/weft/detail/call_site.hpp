// Where a coroutine was created.
#pragma once

#include <weft/version.hpp>

#include <cstdint>
#include <version>

#if defined(__cpp_lib_source_location)
#include <source_location>
#endif

namespace weft {

/// A line of source, by default that of the call it is a default argument of. Not std::source_location
/// itself: clang 14 lacks it with libstdc++, and one type keeps one ABI for all compilers.
struct call_site {
    const char* file = "?";  // Lives as long as the program.
    std::uint32_t line = 0;

    static constexpr call_site current(const char* file = __builtin_FILE(),
                                       std::uint32_t line = __builtin_LINE()) noexcept {
        return {file, line};
    }

#if defined(__cpp_lib_source_location)
    static constexpr call_site from(const std::source_location& where) noexcept {
        return {where.file_name(), where.line()};
    }
#endif
};

}  // namespace weft
