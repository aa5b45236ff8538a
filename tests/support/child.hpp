// Running something in a process of its own, for what ends the process or reads its environment.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::test {

struct child_result {
    int exit_status = -1;  // -1: it was killed.
    int signal = 0;        // What killed it.
    std::string err;       // What it wrote to stderr.

    /// The lines of `err` that hold `part`.
    [[nodiscard]] std::vector<std::string> lines_with(std::string_view part) const;
};

struct child_options {
    std::vector<std::pair<std::string, std::string>> environment =
        {};                 // Set in the child, besides the rest.
    unsigned seconds = 60;  // Then it is killed by SIGALRM.
};

/// Forks, runs `body` in the child and waits for its end. The child ends with the status that `body` returns,
/// without running exit handlers. The caller's process must have no second thread.
[[nodiscard]] child_result run_child(const std::function<int()>& body, const child_options& = {});

}  // namespace weft::test
