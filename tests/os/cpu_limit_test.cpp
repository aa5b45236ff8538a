// The cgroup's CPU limit, over a tree of our own in place of the kernel's.
#include "os/cpu_limit.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace weft::detail {
namespace {

namespace fs = std::filesystem;

class CpuLimit : public ::testing::Test {
protected:
    CpuLimit() {
        std::string name = (fs::temp_directory_path() / "weft-cgroup-XXXXXX").string();
        mount = ::mkdtemp(name.data());
    }
    ~CpuLimit() override {
        std::error_code ignored;
        fs::remove_all(mount, ignored);
    }

    void limit(const std::string& group, const std::string& text) {
        fs::create_directories(mount + group);
        std::ofstream(mount + group + "/cpu.max") << text;
    }
    [[nodiscard]] unsigned of(const std::string& group) const {
        return cgroup_cpu_limit(mount, group);
    }

    std::string mount;
};

TEST_F(CpuLimit, WithoutFilesThereIsNone) {
    EXPECT_EQ(of("/a/b"), 0u);
    EXPECT_EQ(of("/"), 0u);
    EXPECT_EQ(of(""), 0u);
}

TEST_F(CpuLimit, MaxIsNoLimit) {
    limit("/a", "max 100000\n");
    EXPECT_EQ(of("/a"), 0u);
}

TEST_F(CpuLimit, AQuotaIsRoundedUpToWholeCpus) {
    limit("/half", "50000 100000\n");
    limit("/one", "100000 100000\n");
    limit("/more", "100001 100000\n");
    limit("/four", "200000 50000\n");
    EXPECT_EQ(of("/half"), 1u);
    EXPECT_EQ(of("/one"), 1u);
    EXPECT_EQ(of("/more"), 2u);
    EXPECT_EQ(of("/four"), 4u);
}

TEST_F(CpuLimit, TheSmallestOfTheGroupAndItsAncestorsHolds) {
    limit("/a", "300000 100000\n");
    limit("/a/b", "max 100000\n");
    limit("/a/b/c", "500000 100000\n");
    EXPECT_EQ(of("/a/b/c"), 3u);
    EXPECT_EQ(of("/a/b"), 3u);
    limit("/a/b", "150000 100000\n");
    EXPECT_EQ(of("/a/b/c"), 2u);
    EXPECT_EQ(of("/a"), 3u);
}

TEST_F(CpuLimit, TheRootsOwnFileCountsToo) {
    // In a container the root of the mount is the container's group.
    limit("", "250000 100000\n");
    EXPECT_EQ(of("/"), 3u);
    EXPECT_EQ(of("/a/b"), 3u);
}

TEST_F(CpuLimit, GroupsThatAreNotThereAreSkipped) {
    limit("/a", "200000 100000\n");
    EXPECT_EQ(of("/a/gone/gone"), 2u);
    EXPECT_EQ(of("/a/"), 2u);
}

TEST_F(CpuLimit, NonsenseIsNoLimit) {
    for (const char* text : {"", "\n", "abc def", "100000", "100000 0", "0 100000", "-5 100000"}) {
        limit("/a", text);
        EXPECT_EQ(of("/a"), 0u) << '"' << text << '"';
    }
}

TEST(ParseCpuMax, NumbersThatNoLongHoldsAreNoLimitAndLargeOnesAreCutOff) {
    EXPECT_EQ(parse_cpu_max("9223372036854775807 1"), 1024u);
    EXPECT_EQ(parse_cpu_max("9223372036854775807 9223372036854775807"), 1u);
    EXPECT_EQ(parse_cpu_max("9223372036854775808 100000"), 0u);
    EXPECT_EQ(parse_cpu_max("100000 9223372036854775808"), 0u);
    EXPECT_EQ(parse_cpu_max("102500001 100000"), 1024u);
}

TEST(CgroupV2Path, IsWhatStandsInTheLineWithoutControllers) {
    EXPECT_EQ(cgroup_v2_path("0::/user.slice/a\n"), "/user.slice/a");
    EXPECT_EQ(cgroup_v2_path("4:cpu,cpuacct:/other\n1:name=systemd:/x\n0::/a b\n"), "/a b");
    EXPECT_EQ(cgroup_v2_path("0::/no end of line"), "/no end of line");
    EXPECT_EQ(cgroup_v2_path("0::/\n"), "/");
}

TEST(CgroupV2Path, IsEmptyWhereThereIsNoSuchLine) {
    for (const char* text :
         {"", "\n", "4:cpu:/a\n", "10::/a\n", "0::", "0::\n4:cpu:/a\n", "0::a\n"}) {
        EXPECT_EQ(cgroup_v2_path(text), "") << '"' << text << '"';
    }
}

TEST(UsableCpus, IsAtLeastOne) { EXPECT_GE(usable_cpus(), 1u); }

}  // namespace
}  // namespace weft::detail
