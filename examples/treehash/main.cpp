// treehash DIR: a digest of a directory tree. See `usage`, and walk_concurrent.cpp for the coroutines.
#include "command_line.hpp"
#include "directory.hpp"
#include "printable.hpp"
#include "progress_line.hpp"
#include "walk.hpp"

#include <weft/runtime.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>

namespace treehash {

namespace {

enum exit_code { all_read = 0, given_up = 1, called_wrongly = 2, some_unread = 3 };

// What the process has open besides the walk: the standard streams, the top, and the runtime's own.
constexpr unsigned other_descriptors = 24;

// Running out of descriptors would show as errors that the tree does not have.
unsigned within_process_limit(unsigned open_max) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return open_max;
    const rlim_t left = limit.rlim_cur - std::min<rlim_t>(limit.rlim_cur, other_descriptors);
    return static_cast<unsigned>(std::clamp<rlim_t>(left, 1, open_max));
}

tally walk(int top, const command_line& asked) {
    progress shown;
    if (asked.sequential) return walk_sequential(top, shown);

    tally found;
    weft::run([&] {
        std::optional<progress_line> line;
        if (!asked.quiet && isatty(STDERR_FILENO)) line.emplace(shown);
        found = walk_concurrent(top, within_process_limit(asked.open_max), shown);
    });
    return found;
}

exit_code print(tally& found, const std::string& directory, double seconds) {
    const std::vector<problem>& problems = found.sorted_problems();
    for (const problem& p : problems) {
        const std::string path = p.path.empty() ? directory : directory + '/' + p.path;
        std::fprintf(stderr, "treehash: %s: %s\n", printable(path).c_str(),
                     p.reason.message().c_str());
    }
    std::printf("digest %s\nfiles %" PRIu64 "\nbytes %" PRIu64 "\nerrors %zu\nseconds %.3f\n",
                to_hex(found.tree_digest()).c_str(), found.files(), found.bytes(), problems.size(),
                seconds);
    if (std::fflush(stdout) != 0) throw std::system_error(last_error(), "cannot write the result");
    return problems.empty() ? all_read : some_unread;
}

exit_code hash_tree(const command_line& asked) {
    // The one place where a link is followed: who names a link to a directory means the directory.
    const descriptor top(open(asked.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!top) throw std::system_error(last_error(), printable(asked.directory));

    using clock = std::chrono::steady_clock;
    const clock::time_point begin = clock::now();
    tally found = walk(top.get(), asked);
    const std::chrono::duration<double> took = clock::now() - begin;
    return print(found, asked.directory, took.count());
}

}  // namespace

}  // namespace treehash

int main(int argc, char** argv) {
    using namespace treehash;
    command_line asked;
    std::string complaint;
    if (!parse(argc, argv, asked, complaint)) {
        std::fprintf(stderr, "treehash: %s\n%s", complaint.c_str(), usage);
        return called_wrongly;
    }
    if (asked.help) {
        std::fputs(usage, stdout);
        return all_read;
    }
    try {
        return hash_tree(asked);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "treehash: %s\n", e.what());
        return given_up;
    }
}
