// The name of a source file as a reader wants it.
#pragma once

#include <string>
#include <string_view>

namespace weft::detail {

/// Returns `path` without "." and without what ".." takes back; a header of weft's as programs include it, such as
/// weft/scope.hpp, wherever it was installed.
[[nodiscard]] std::string short_path(std::string_view path);

}  // namespace weft::detail
