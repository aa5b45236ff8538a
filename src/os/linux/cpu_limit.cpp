#include "os/cpu_limit.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace weft::detail {
namespace {

/// The start of a small file; empty when it can't be read.
std::string read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    char buffer[4096];
    const ssize_t count = ::read(fd, buffer, sizeof(buffer));
    ::close(fd);
    return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : std::string();
}

unsigned affinity_cpus() noexcept {
    // The mask may be longer than cpu_set_t on large machines: ask with growing ones.
    for (std::size_t bytes = sizeof(cpu_set_t); bytes <= (std::size_t{1} << 16); bytes *= 2) {
        cpu_set_t* const mask = static_cast<cpu_set_t*>(std::calloc(1, bytes));
        if (mask == nullptr) return 1;
        const bool fits = ::sched_getaffinity(0, bytes, mask) == 0;
        const int count = fits ? CPU_COUNT_S(bytes, mask) : 0;
        std::free(mask);
        if (fits) return static_cast<unsigned>(std::max(count, 1));
    }
    return 1;
}

/// The number that `text` begins with after blanks, which is cut off; 0 when there is none that fits.
std::int64_t take_number(std::string_view& text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc() ? value : 0;
}

}  // namespace

unsigned parse_cpu_max(std::string_view text) noexcept {
    constexpr std::int64_t most = 1024;
    const std::int64_t quota = take_number(text);
    const std::int64_t period = take_number(text);
    if (quota <= 0 || period <= 0) return 0;
    // Without a sum: the quota may be as large as the type.
    const std::int64_t whole = quota / period + (quota % period != 0 ? 1 : 0);
    return static_cast<unsigned>(std::min(whole, most));
}

std::string_view cgroup_v2_path(std::string_view groups) noexcept {
    const auto line = groups.starts_with("0::") ? 0 : groups.find("\n0::");
    if (line == std::string_view::npos) return {};
    const auto first = groups.find("::", line) + 2;
    const std::string_view path = groups.substr(first, groups.find('\n', first) - first);
    return path.starts_with('/') ? path : std::string_view();
}

unsigned cgroup_cpu_limit(std::string_view mount, std::string_view group) noexcept {
    unsigned limit = 0;
    std::string path(group);
    for (;;) {
        while (!path.empty() && path.back() == '/') path.pop_back();
        const unsigned here = parse_cpu_max(read_file(std::string(mount) + path + "/cpu.max"));
        if (here != 0) limit = limit == 0 ? here : std::min(limit, here);
        const auto slash = path.find_last_of('/');
        if (slash == std::string::npos) return limit;
        path.resize(slash);
    }
}

unsigned usable_cpus() noexcept {
    const unsigned cpus = affinity_cpus();
    const std::string groups = read_file("/proc/self/cgroup");
    const std::string_view group = cgroup_v2_path(groups);
    if (group.empty()) return cpus;
    const unsigned limit = cgroup_cpu_limit("/sys/fs/cgroup", group);
    return limit == 0 ? cpus : std::min(cpus, limit);
}

}  // namespace weft::detail
