#include "measure.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

namespace {

double status_bytes(std::string_view wanted) {
    std::ifstream status("/proc/self/status");
    for (std::string key; status >> key;) {
        if (key == wanted) {
            double kib = 0;
            status >> kib;
            return kib * 1024;
        }
    }
    throw std::runtime_error("no " + std::string(wanted) + " in /proc/self/status");
}

}  // namespace

void result(const char* metric, double value, const char* unit) {
    std::printf("RESULT %s %.3f %s\n", metric, value, unit);
}

double ns_each(clock::duration elapsed, std::size_t operations) {
    return std::chrono::duration<double, std::nano>(elapsed).count() /
           static_cast<double>(operations);
}

double rss_bytes() { return status_bytes("VmRSS:"); }

double peak_rss_bytes() { return status_bytes("VmHWM:"); }

std::chrono::nanoseconds cpu_time() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto duration = [](const timeval& t) {
        return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
    };
    return duration(used.ru_utime) + duration(used.ru_stime);
}

void report_lateness(std::vector<std::int64_t>& late_ns) {
    std::ranges::sort(late_ns);
    const auto us = [&](double fraction) {
        const auto i = static_cast<std::size_t>(fraction * static_cast<double>(late_ns.size()));
        return static_cast<double>(late_ns[std::min(i, late_ns.size() - 1)]) / 1e3;
    };
    result("late_p50", us(.5), "us");
    result("late_p99", us(.99), "us");
    result("late_p999", us(.999), "us");
    result("late_max", us(1), "us");
    const auto on_time = std::ranges::lower_bound(late_ns, 0);
    result("early", static_cast<double>(on_time - late_ns.begin()), "sleeps");
}

}  // namespace bench
