#include "os/cpu_limit.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

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

/// "200000 100000" is 2 CPUs; "max 100000" is no limit.
unsigned parse_cpu_max(const std::string& text) {
    char* end = nullptr;
    const long long quota = std::strtoll(text.c_str(), &end, 10);
    if (end == text.c_str() || quota <= 0) return 0;
    const long long period = std::strtoll(end, nullptr, 10);
    if (period <= 0) return 0;
    return static_cast<unsigned>(std::clamp<long long>((quota + period - 1) / period, 1, 1024));
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

}  // namespace

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
    // The line of version 2 is "0::/path". Version 1 controllers are not looked at.
    const auto line = groups.rfind("0::", 0) == 0 ? 0 : groups.find("\n0::");
    if (line == std::string::npos) return cpus;
    const auto first = groups.find('/', line);
    if (first == std::string::npos) return cpus;
    const auto last = std::min(groups.find('\n', first), groups.size());
    const unsigned limit =
        cgroup_cpu_limit("/sys/fs/cgroup", std::string_view(groups).substr(first, last - first));
    return limit == 0 ? cpus : std::min(cpus, limit);
}

}  // namespace weft::detail
