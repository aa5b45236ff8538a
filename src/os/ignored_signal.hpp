// A signal that the parent has the process ignore, as a shell does for SIGQUIT of what runs in its background.
#pragma once

namespace weft::detail {

/// Gives the signal its default action if it is ignored. Returns true if it was.
[[nodiscard]] bool stop_ignoring(int signal) noexcept;
/// The other way round, if it has its default action.
void ignore_again(int signal) noexcept;

}  // namespace weft::detail
