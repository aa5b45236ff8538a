#include "os/forked.hpp"
#include "os/mapping.hpp"
#include "os/memory.hpp"
#include "os/module.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <signal.h>
#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::int64_t second = 1'000'000'000;
std::atomic<int> sigchlds{0};
int written = 0;

TEST(Forked, TellsWhetherAllWentWell) {
    int value = 0;
    EXPECT_TRUE(run_forked([](void* v) { return *static_cast<int*>(v); }, &value, 10 * second));
    value = 1;
    EXPECT_FALSE(run_forked([](void* v) { return *static_cast<int*>(v); }, &value, 10 * second));
}

TEST(Forked, LeavesTheProcessAsItIs) {
    ::signal(SIGCHLD, [](int) { ++sigchlds; });
    EXPECT_TRUE(run_forked(
        [](void*) {
            written = 1;
            return 0;
        },
        nullptr, 10 * second));
    EXPECT_EQ(written, 0);
    EXPECT_EQ(sigchlds, 0);
    ::signal(SIGCHLD, SIG_DFL);
}

TEST(Forked, SurvivesTheDeathOfTheCopy) {
    EXPECT_FALSE(run_forked(
        [](void*) {
            ::raise(SIGSEGV);
            return 0;
        },
        nullptr, 10 * second));
}

TEST(Forked, EndsACopyThatHangs) {
    EXPECT_FALSE(run_forked(
        [](void*) {
            for (;;) ::pause();
            return 0;
        },
        nullptr, second / 20));
}

TEST(Mapping, SaysTheSameAsTheLoader) {
    const auto here = reinterpret_cast<std::uintptr_t>(&run_forked);
    const auto there = reinterpret_cast<std::uintptr_t>(&::getpid);
    for (const std::uintptr_t address : {here, there}) {
        mapping found;
        ASSERT_TRUE(find_mapping(address, found));
        EXPECT_EQ(found.address, find_module(address).address) << found.file.data();
        EXPECT_EQ(found.file[0], '/');
    }
    mapping found;
    EXPECT_FALSE(find_mapping(8, found));
}

// Of the bytes of a mapping, how many would be in a core.
std::size_t dumped_of(const void* base, std::size_t size) {
    const auto low = reinterpret_cast<std::uintptr_t>(base);
    std::ifstream maps("/proc/self/smaps");
    std::size_t dumped = 0;
    std::size_t of_this = 0;
    for (std::string line; std::getline(maps, line);) {
        char* end = nullptr;
        const std::uintptr_t first = std::strtoull(line.c_str(), &end, 16);
        if (*end == '-') {
            const std::uintptr_t last = std::strtoull(end + 1, nullptr, 16);
            of_this = first >= low && last <= low + size ? last - first : 0;
        } else if (line.starts_with("VmFlags:") && line.find(" dd") == std::string::npos) {
            dumped += of_this;
        }
    }
    return dumped;
}

TEST(CorePages, OfALargeReservationAreInCoresAsFarAsTheyAreUsed) {
    constexpr std::size_t mib = std::size_t{1} << 20;
    constexpr std::size_t unit = 256 * 1024;
    constexpr std::size_t size = 512 * mib;
    auto* const base = static_cast<std::byte*>(reserve_pages(size, unit, "core-test"));
    ASSERT_NE(base, nullptr);
    keep_out_of_core(base, size);
    EXPECT_EQ(dumped_of(base, size), 0u);
    for (std::size_t offset = 0; offset != 192 * mib; offset += unit) {
        put_used_into_core(base, offset, unit, size);
        const std::size_t dumped = dumped_of(base, size);
        ASSERT_GE(dumped, offset + unit);
        ASSERT_LE(dumped, offset + unit + 64 * mib);
        if (offset == 0) {
            ASSERT_EQ(dumped, 4 * mib);
        }
    }
    release_pages(base, size);
}

}  // namespace
}  // namespace weft::detail
