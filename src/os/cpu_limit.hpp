// How many CPUs this process may use.
#pragma once

#include <string_view>

namespace weft::detail {

/// The CPUs of the affinity mask, or the cgroup's limit rounded up when that is smaller; at least 1.
[[nodiscard]] unsigned usable_cpus() noexcept;

/// The smallest cpu.max (cgroup v2) of `group` and its ancestors below `mount`, in whole CPUs rounded
/// up; 0 when there is no limit. For tests, `mount` may be any directory.
[[nodiscard]] unsigned cgroup_cpu_limit(std::string_view mount, std::string_view group) noexcept;

}  // namespace weft::detail
