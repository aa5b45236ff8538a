// gc_binary_trees [DEPTH]: makes and drops a great many binary trees, up to DEPTH (16, unless told otherwise) deep.
//
// The classic measure of an allocator and its collector (after Hans Boehm's GCBench). One tree lives all the time;
// beside it coroutines, one for each depth, make short-lived trees, count their nodes and forget them. Nobody frees
// anything. A tree is a struct with two gc::ptr, and counting goes by plain pointers.
#include <weft/gc.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>

#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

struct tree {
    weft::gc::ptr<tree> left;
    weft::gc::ptr<tree> right;
};

weft::gc::ptr<tree> grow(int depth) {
    auto t = weft::gc::make<tree>();
    if (depth > 0) {
        t->left = grow(depth - 1);
        t->right = grow(depth - 1);
    }
    return t;
}

long count(const tree* t) {
    return t->left == nullptr ? 1 : 1 + count(t->left.get()) + count(t->right.get());
}

long count_many(int trees, int depth) {
    long nodes = 0;
    for (int i = 0; i != trees; ++i) nodes += count(grow(depth).get());
    return nodes;
}

void print_counts(int deepest) {
    constexpr int least = 4;
    std::printf("stretch tree of depth %d\t check: %ld\n", deepest + 1,
                count(grow(deepest + 1).get()));
    const auto long_lived = grow(deepest);

    struct job {
        int trees;
        int depth;
        weft::join_handle<long> nodes;
    };
    std::vector<job> jobs;
    for (int depth = least; depth <= deepest; depth += 4) {
        const int trees = 1 << (deepest - depth + least);
        jobs.push_back({trees, depth, weft::spawn([=] { return count_many(trees, depth); })});
    }
    for (job& j : jobs) {
        std::printf("%d\t trees of depth %d\t check: %ld\n", j.trees, j.depth, j.nodes.join());
    }
    std::printf("long lived tree of depth %d\t check: %ld\n", deepest, count(long_lived.get()));
}

bool parse(std::string_view text, int& depth) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, depth);
    return error == std::errc() && stop == end && depth >= 4 && depth <= 24;
}

}  // namespace

int main(int argc, char** argv) {
    int depth = 16;
    if (argc > 2 || (argc == 2 && !parse(argv[1], depth))) {
        std::fputs("usage: gc_binary_trees [DEPTH]\n"
                   "Makes and drops binary trees, up to DEPTH (4 to 24; 16, unless told otherwise) "
                   "deep.\n",
                   stderr);
        return 2;
    }
    return weft::run([depth] { print_counts(depth); });
}
