// How names of files are shown.
#include "report/path.hpp"

#include <gtest/gtest.h>

namespace weft::detail {
namespace {

TEST(ShortPath, KeepsWhatIsShort) {
    EXPECT_EQ(short_path("main.cpp"), "main.cpp");
    EXPECT_EQ(short_path("src/main.cpp"), "src/main.cpp");
    EXPECT_EQ(short_path("/home/me/src/main.cpp"), "/home/me/src/main.cpp");
    EXPECT_EQ(short_path("?"), "?");
    EXPECT_EQ(short_path(""), "");
}

TEST(ShortPath, TakesBackWhatGoesUp) {
    EXPECT_EQ(short_path("/build/../src/./main.cpp"), "/src/main.cpp");
    EXPECT_EQ(short_path("../../src/main.cpp"), "../../src/main.cpp");
    EXPECT_EQ(short_path("a/b/../../../main.cpp"), "../main.cpp");
    EXPECT_EQ(short_path("/../main.cpp"), "/main.cpp");
    EXPECT_EQ(short_path("a//b.cpp"), "a/b.cpp");
}

TEST(ShortPath, ShowsHeadersOfWeftAsTheyAreIncluded) {
    EXPECT_EQ(short_path("/opt/prefix/lib/pkgconfig/../../include/weft/scope.hpp"),
              "weft/scope.hpp");
    EXPECT_EQ(short_path("include/weft/sync/mutex.hpp"), "weft/sync/mutex.hpp");
    EXPECT_EQ(short_path("/usr/include/c++/12/bits/invoke.h"), "/usr/include/c++/12/bits/invoke.h");
    EXPECT_EQ(short_path("/home/weft/main.cpp"), "/home/weft/main.cpp");
}

}  // namespace
}  // namespace weft::detail
