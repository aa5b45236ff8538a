// Options, environment and machine, made one.
#pragma once

#include <weft/runtime.hpp>

#include "base/environ.hpp"

namespace weft::detail {

inline constexpr unsigned processors_max = 1024;

/// `given` with what the environment overrides. Throws std::invalid_argument for values that make no sense.
[[nodiscard]] options effective_options(options given, const environment& env);

/// options.processors, else WEFT_PROCS, else what the machine and its cgroup allow.
[[nodiscard]] unsigned effective_processors(const options& opts, const environment& env);

}  // namespace weft::detail
