// The remedy for a call that blocks its thread, by where in the kernel that thread waits.
#pragma once

#include <string_view>

namespace weft::detail {

/// `channel` is a symbol of the kernel's, as thread_probe::wait_channel() has it. Never empty.
[[nodiscard]] inline std::string_view remedy_for(std::string_view channel) noexcept {
    const auto has = [channel](std::string_view part) {
        return channel.find(part) != std::string_view::npos;
    };
    if (has("futex")) return "weft::mutex and its kind, or weft::await for a future";
    if (has("nanosleep")) return "weft::sleep_for()";
    return "weft::blocking()";
}

}  // namespace weft::detail
