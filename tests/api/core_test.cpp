// A core dump has the stacks of coroutines in it, and not the address space that is reserved for more.
#include "support/build.hpp"
#include "support/child.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

namespace weft::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Of the process: what of its memory would be in a core, by /proc/self/smaps, and what is resident.
struct core_size {
    std::size_t dumped_kib = 0;
    std::size_t resident_kib = 0;

    static core_size now() {
        core_size all;
        std::ifstream maps("/proc/self/smaps");
        std::size_t size = 0;
        bool touched = false;
        for (std::string line; std::getline(maps, line);) {
            std::istringstream words(line);
            std::string key;
            std::size_t value = 0;
            words >> key >> value;
            if (key == "Size:") {
                size = value;
                touched = false;
            } else if (key == "Rss:") {
                all.resident_kib += value;
            } else if (key == "Anonymous:") {
                touched = value != 0;  // Of others the kernel writes a page at most.
            } else if (key == "VmFlags:" && touched && line.find(" dd") == std::string::npos) {
                all.dumped_kib += size;
            }
        }
        return all;
    }
};

constexpr std::size_t mib = 1024;  // In KiB.

// What the stack of each parked coroutine has on it.
constexpr char mark[] = "weft core test 7c1e5a, ";

[[gnu::noinline]] void park_with_mark(int number, std::atomic<int>& marked) {
    volatile char text[64];
    std::snprintf(const_cast<char*>(text), sizeof(text), "%s%d", mark, number);
    ++marked;
    sleep_for(1h);
    text[0] = 0;
}

template <class F>
int with_parked(int count, F&& then) {
    return run([&] {
        std::atomic<int> marked{0};
        scope s;
        for (int i = 0; i != count; ++i) s.go([i, &marked] { park_with_mark(i, marked); });
        while (marked != count) sleep_for(1ms);
        then();
        s.cancel();
    });
}

constexpr const char* why_not = "the sanitizer's own memory is most of it";

using Core = plain_runtime;

TEST_F(Core, OfAFewCoroutinesIsSmall) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << why_not;
    core_size size;
    with_parked(2, [&] { size = core_size::now(); });
    EXPECT_LE(size.dumped_kib, 64 * mib + 2 * size.resident_kib);
}

TEST_F(Core, GrowsWithTheStacksInUse) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << why_not;
    core_size size;
    constexpr int count = 4'000;
    with_parked(count, [&] { size = core_size::now(); });
    // A slot of a reserved stack is 256 KiB, and 64 MiB more may be marked.
    EXPECT_LE(size.dumped_kib,
              count * (split_stacks ? 5u : 256u) + 128 * mib + 2 * size.resident_kib);
}

TEST_F(Core, IsWrittenWithTheParkedStacksInIt) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << why_not;
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    if (pattern.empty() || pattern[0] == '|' || pattern.find('/') != std::string::npos) {
        GTEST_SKIP() << "cores do not go to the current folder here";
    }
    std::string folder = (fs::temp_directory_path() / "weft-core-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const child_result child = run_child(
        [&] {
            rlimit all{};
            ::getrlimit(RLIMIT_CORE, &all);
            all.rlim_cur = all.rlim_max;
            if (::chdir(folder.c_str()) != 0 || ::setrlimit(RLIMIT_CORE, &all) != 0) return 3;
            return with_parked(5, [] { std::abort(); });
        },
        {.environment = {{"WEFT_DEBUG", "crash=0"}}});
    fs::path core;
    for (const auto& entry : fs::directory_iterator(folder)) core = entry.path();
    if (child.exit_status == 3 || core.empty()) {
        fs::remove_all(folder);
        GTEST_SKIP() << "no core is written here";
    }
    EXPECT_EQ(child.signal, SIGABRT) << child.err;
    EXPECT_LE(fs::file_size(core), 64 * mib * 1024 + 32 * mib * 1024);
    std::ifstream file(core, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    for (int i = 0; i != 5; ++i) {
        EXPECT_NE(bytes.find(mark + std::to_string(i)), std::string::npos) << i;
    }
    fs::remove_all(folder);
}

}  // namespace
}  // namespace weft::test
