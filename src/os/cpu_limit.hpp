// How many CPUs this process may use.
#pragma once

#include <string_view>

namespace weft::detail {

/// The CPUs of the affinity mask, or the cgroup's limit rounded up when that is smaller; at least 1.
[[nodiscard]] unsigned usable_cpus() noexcept;

/// The smallest cpu.max (cgroup v2) of `group` and its ancestors below `mount`, in whole CPUs rounded
/// up; 0 when there is no limit. For tests, `mount` may be any directory.
[[nodiscard]] unsigned cgroup_cpu_limit(std::string_view mount, std::string_view group) noexcept;

/// Reads a cpu.max file. Returns whole CPUs, rounded up, at most 1024: "200000 100000" is 2; 0 when it sets no limit,
/// as "max 100000" does, or says nothing that makes sense.
[[nodiscard]] unsigned parse_cpu_max(std::string_view text) noexcept;

/// The process's group of version 2 in the text of /proc/self/cgroup, whose line is "0::/path"; empty when there
/// is none. Lines of version 1 controllers are not looked at.
[[nodiscard]] std::string_view cgroup_v2_path(std::string_view groups) noexcept;

}  // namespace weft::detail
