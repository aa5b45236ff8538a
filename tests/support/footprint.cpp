#include "support/footprint.hpp"

#include "support/build.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>

namespace weft::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> threads_now() {
    std::vector<std::string> result;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/task")) {
        std::ifstream file(entry.path() / "comm");
        std::string name;
        std::getline(file, name);
        result.push_back(entry.path().filename().string() + " " + name);
    }
    std::sort(result.begin(), result.end());
    return result;
}

std::vector<std::string> descriptors_now() {
    std::vector<std::string> result;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const fs::path target = fs::read_symlink(entry.path(), gone);
        // The one that this loop itself reads.
        if (gone || target.string().ends_with("/fd")) continue;
        result.push_back(entry.path().filename().string() + " " + target.string());
    }
    std::sort(result.begin(), result.end());
    return result;
}

// Where the kernel does not name anonymous memory nothing is found, and so nothing is missed.
std::vector<std::string> mappings_now() {
    std::vector<std::string> result;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("weft:") != std::string::npos) result.push_back(line);
    }
    std::sort(result.begin(), result.end());
    return result;
}

void append_new(std::string& text, const char* what, const std::vector<std::string>& before,
                const std::vector<std::string>& after) {
    std::vector<std::string> fresh;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(fresh));
    for (const std::string& one : fresh) text += std::string(what) + " " + one + "\n";
}

}  // namespace

footprint footprint::now() {
    // ThreadSanitizer has a thread of its own from the first thread on.
    [[maybe_unused]] static const bool started = [] {
        if (thread_sanitizer) std::thread([] {}).join();
        return true;
    }();
    return {threads_now(), descriptors_now(), mappings_now()};
}

std::string left_since(const footprint& before) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
        const footprint after = footprint::now();
        std::string text;
        append_new(text, "descriptor", before.descriptors, after.descriptors);
        append_new(text, "mapping", before.mappings, after.mappings);
        const std::size_t others = text.size();
        append_new(text, "thread", before.threads, after.threads);
        if (text.empty() || others != 0 || std::chrono::steady_clock::now() > deadline) return text;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace weft::test
