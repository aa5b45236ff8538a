// The parts of treehash, where a test from outside cannot be quick enough: names that have become
// something else between the listing and the look, and what a running walk has open.
#include "treehash/directory.hpp"
#include "treehash/printable.hpp"
#include "treehash/visitor.hpp"
#include "treehash/walk.hpp"

#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/testing.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace treehash {
namespace {

namespace fs = std::filesystem;

class temporary_tree {
public:
    temporary_tree() {
        std::string pattern = (fs::temp_directory_path() / "treehash-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(last_error(), pattern);
        path_ = pattern;
        fd_ = descriptor(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~temporary_tree() { fs::remove_all(path_); }
    temporary_tree(const temporary_tree&) = delete;
    temporary_tree& operator=(const temporary_tree&) = delete;

    fs::path operator/(std::string_view name) const { return path_ / name; }
    const fs::path& path() const { return path_; }
    int fd() const { return fd_.get(); }
    directory open_top() const {
        std::error_code error;
        directory top = directory::open(fd(), "", error);
        if (error) throw std::system_error(error, "top");
        return top;
    }

private:
    fs::path path_;
    descriptor fd_;
};

void write(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
}

// The one problem that a look at `name`, listed as `what`, comes upon.
std::error_code problem_with(const temporary_tree& tree, const std::string& name, kind what) {
    progress shown;
    visitor hand(shown);
    EXPECT_TRUE(hand.visit(tree.open_top(), {name, what}));
    tally found = std::move(hand).take();
    if (found.sorted_problems().size() != 1) {
        ADD_FAILURE() << found.sorted_problems().size() << " problems with " << name;
        return {};
    }
    EXPECT_EQ(found.sorted_problems()[0].path, name);
    EXPECT_EQ(shown.problems.load(), 1U);
    EXPECT_EQ(found.files(), 0U);
    return found.sorted_problems()[0].reason;
}

digest digest_of(const temporary_tree& tree, const std::string& name, kind what) {
    progress shown;
    visitor hand(shown);
    EXPECT_TRUE(hand.visit(tree.open_top(), {name, what}));
    tally found = std::move(hand).take();
    EXPECT_TRUE(found.sorted_problems().empty());
    return found.tree_digest();
}

TEST(visitor, reports_a_file_that_has_vanished) {
    const temporary_tree tree;
    EXPECT_EQ(problem_with(tree, "gone", kind::file), std::errc::no_such_file_or_directory);
}

TEST(visitor, reports_a_link_that_has_vanished) {
    const temporary_tree tree;
    EXPECT_EQ(problem_with(tree, "gone", kind::link), std::errc::no_such_file_or_directory);
}

TEST(visitor, reports_a_directory_that_has_vanished) {
    const temporary_tree tree;
    progress shown;
    visitor hand(shown);
    directory opened;
    EXPECT_TRUE(hand.enter(tree.fd(), "gone/below", opened).empty());
    tally found = std::move(hand).take();
    ASSERT_EQ(found.sorted_problems().size(), 1U);
    EXPECT_EQ(found.sorted_problems()[0].path, "gone/below");
    EXPECT_EQ(found.sorted_problems()[0].reason, std::errc::no_such_file_or_directory);
}

TEST(visitor, does_not_follow_what_has_become_a_link) {
    const temporary_tree tree;
    write(tree / "target", "text");
    fs::create_symlink("target", tree / "file");
    EXPECT_EQ(problem_with(tree, "file", kind::file), std::errc::too_many_symbolic_link_levels);
}

TEST(visitor, does_not_enter_by_way_of_what_has_become_a_link) {
    const temporary_tree tree;
    fs::create_directories(tree / "real/sub");
    fs::create_directory_symlink("real", tree / "link");
    progress shown;
    visitor hand(shown);
    directory opened;
    hand.enter(tree.fd(), "link/sub", opened);
    EXPECT_EQ(shown.problems.load(), 1U);
    hand.enter(tree.fd(), "link", opened);
    EXPECT_EQ(shown.problems.load(), 2U);
    hand.enter(tree.fd(), "real/sub", opened);
    EXPECT_EQ(shown.problems.load(), 2U);
}

TEST(visitor, does_not_wait_for_what_has_become_a_fifo) {
    const temporary_tree tree;
    ASSERT_EQ(mkfifo((tree / "name").c_str(), 0600), 0);
    EXPECT_EQ(digest_of(tree, "name", kind::file), digest_of(tree, "name", kind::fifo));
}

TEST(visitor, reports_what_has_become_a_directory) {
    const temporary_tree tree;
    fs::create_directory(tree / "name");
    EXPECT_EQ(problem_with(tree, "name", kind::file), std::errc::is_a_directory);
}

TEST(visitor, leaves_large_files_when_asked_to) {
    const temporary_tree tree;
    write(tree / "file", "12345");
    progress shown;
    visitor hand(shown);
    EXPECT_FALSE(hand.visit(tree.open_top(), {"file", kind::file}, 4));
    EXPECT_TRUE(hand.visit(tree.open_top(), {"file", kind::file}, 5));
    const tally found = std::move(hand).take();
    EXPECT_EQ(found.files(), 1U);
    EXPECT_EQ(found.bytes(), 5U);
}

TEST(printable, keeps_text_and_escapes_the_rest) {
    EXPECT_EQ(printable("plain name.txt"), "plain name.txt");
    EXPECT_EQ(printable("größe \u20ac \U0001f9f5"), "größe \u20ac \U0001f9f5");
    EXPECT_EQ(printable("a\nb\tc\rd\\e\x1b[2J\x7f"), R"(a\nb\tc\rd\\e\x1b[2J\x7f)");
    EXPECT_EQ(printable("\u0085\u009b"), R"(\xc2\x85\xc2\x9b)");
}

TEST(printable, escapes_what_is_not_utf8) {
    EXPECT_EQ(printable("\xff\xfe"), R"(\xff\xfe)");
    EXPECT_EQ(printable("cut\xe2\x82"), R"(cut\xe2\x82)");
    EXPECT_EQ(printable("\xc0\xaf"), R"(\xc0\xaf)");                  // Longer than need be.
    EXPECT_EQ(printable("\xed\xa0\x80"), R"(\xed\xa0\x80)");          // A surrogate.
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");  // Past the last code point.
    EXPECT_EQ(printable("\x80x"), R"(\x80x)");
}

// How many descriptors of this process stand for something below `top`, at a glance.
unsigned open_below(const fs::path& top) {
    unsigned count = 0;
    std::error_code ignored;  // Descriptors come and go while we look.
    for (fs::directory_iterator fd("/proc/self/fd", ignored), end; fd != end;
         fd.increment(ignored)) {
        const std::string target = fs::read_symlink(fd->path(), ignored).string();
        count += target.starts_with(top.string() + '/') ? 1 : 0;
    }
    return count;
}

// Some directories in each other, a hundred files in each.
constexpr unsigned files_of_some = 500;

void make_some(const temporary_tree& tree) {
    for (const std::string below : {"a", "a/b", "a/b/c", "d", "e/f"}) {
        fs::create_directories(tree / below);
        for (int i = 0; i != 100; ++i) write(tree / (below + '/' + std::to_string(i)), below);
    }
}

TEST(walk_concurrent, finds_the_same_under_every_schedule) {
    const temporary_tree tree;
    make_some(tree);
    fs::create_symlink("loop", tree / "loop");
    progress shown;
    tally expected = walk_sequential(tree.fd(), shown);
    ASSERT_EQ(expected.sorted_problems().size(), 1U);

    weft::testing::explore(50, [&] {
        tally found = walk_concurrent(tree.fd(), 6, shown);
        EXPECT_EQ(found.tree_digest(), expected.tree_digest());
        EXPECT_EQ(found.files(), files_of_some);
        EXPECT_EQ(found.sorted_problems().size(), 1U);
    });
}

TEST(walk_concurrent, ends_and_leaves_nothing_open_wherever_it_is_cancelled) {
    const temporary_tree tree;
    make_some(tree);
    unsigned yields = 0, cancelled = 0;
    weft::testing::explore(100, [&] {
        progress shown;
        auto walk = weft::spawn([&] { return walk_concurrent(tree.fd(), 6, shown); });
        for (unsigned i = 0; i != yields; ++i) weft::yield();
        ++yields;  // A little later each time.
        walk.request_stop();
        try {
            EXPECT_EQ(walk.join().files(), files_of_some);
        } catch (const weft::coroutine_cancelled&) {
            ++cancelled;
        }
        EXPECT_EQ(open_below(tree.path()), 0U);
    });
    EXPECT_GE(cancelled, 1U);
}

class open_descriptors : public testing::TestWithParam<unsigned> {};

TEST_P(open_descriptors, are_bounded_and_no_file_is_lost) {
    const temporary_tree tree;
    constexpr unsigned directories = 20, files = 100;
    const std::string text(20'000, 'x');
    for (unsigned d = 0; d != directories; ++d) {
        const fs::path below = tree / ("d" + std::to_string(d)) / "e";
        fs::create_directories(below);
        for (unsigned f = 0; f != files; ++f) {
            write(below / ("f" + std::to_string(f)), text);
            if (f % 20 == 0) fs::create_directories(below / ("s" + std::to_string(f)) / "t");
        }
        // Alone in its directory, and too large to be read along with others.
        const fs::path alone = tree / "large" / std::to_string(d);
        fs::create_directories(alone);
        write(alone / "file", "");
        fs::resize_file(alone / "file", 1'100'000);
    }

    std::atomic<bool> done = false;
    unsigned most = 0;
    std::thread watcher([&] {
        while (!done) most = std::max(most, open_below(tree.path()));
    });
    for (int round = 0; round != 5; ++round) {
        progress shown;
        weft::run([&] {
            tally found = walk_concurrent(tree.fd(), GetParam(), shown);
            EXPECT_EQ(found.files(), directories * (files + 1));
            EXPECT_TRUE(found.sorted_problems().empty());
        });
    }
    done = true;
    watcher.join();
    // A look is not a moment: what was closed and opened meanwhile may count twice, now and then.
    EXPECT_LE(most, std::max(2U, GetParam()) + 1);
    EXPECT_GE(most, 1U);
}

INSTANTIATE_TEST_SUITE_P(limits, open_descriptors, testing::Values(1U, 2U, 8U, 64U));

}  // namespace
}  // namespace treehash
