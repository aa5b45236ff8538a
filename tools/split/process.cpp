#include "process.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::tools {
namespace {

std::vector<char*> terminated(std::span<char*> command) {
    std::vector<char*> all(command.begin(), command.end());
    all.push_back(nullptr);
    return all;
}

int status_of(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void become(std::span<char*> command) {
    const std::vector<char*> all = terminated(command);
    execvp(all[0], all.data());
}

int run(std::span<char*> command) {
    const std::vector<char*> all = terminated(command);
    pid_t child = 0;
    if (posix_spawnp(&child, all[0], nullptr, nullptr, all.data(), environ) != 0) return 127;
    return status_of(child);
}

int run(const std::vector<std::string>& command) {
    std::vector<std::string> words = command;
    std::vector<char*> all;
    for (std::string& word : words) all.push_back(word.data());
    return run(std::span<char*>(all));
}

std::string output_of(const std::vector<std::string>& command) {
    std::vector<std::string> words = command;
    std::vector<char*> all;
    for (std::string& word : words) all.push_back(word.data());
    all.push_back(nullptr);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return "";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const bool started = posix_spawnp(&child, all[0], &actions, nullptr, all.data(), environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string said;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t n = read(ends[0], part.data(), part.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        said.append(part.data(), static_cast<std::size_t>(n));
    }
    close(ends[0]);
    return started && status_of(child) == 0 ? said : "";
}

}  // namespace weft::tools
