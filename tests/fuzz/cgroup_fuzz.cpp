// What the kernel says about a control group: a cpu.max file, and /proc/self/cgroup.
#include "fuzz.hpp"
#include "os/cpu_limit.hpp"

using weft::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = weft::fuzz::text_of(data, size);
    promise(weft::detail::parse_cpu_max(text) <= 1024, "a limit is at most 1024 CPUs");

    const std::string_view path = weft::detail::cgroup_v2_path(text);
    if (!path.empty()) {
        promise(path.front() == '/', "a path begins with a slash");
        promise(path.find('\n') == std::string_view::npos, "a path is part of one line");
        promise(path.data() >= text.data() + 3 && path.data() + path.size() <= text.data() + size,
                "a path is part of the text");
        promise(std::string_view(path.data() - 3, 3) == "0::", "a path is version 2's");
    }
    return 0;
}
