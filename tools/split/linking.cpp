#include "linking.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

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

}  // namespace

bool is_linker(const std::string& command) {
    return std::filesystem::path(command).filename() == "collect2";
}

void become(std::span<char*> command) {
    const std::vector<char*> all = terminated(command);
    execvp(all[0], all.data());
}

int run(std::span<char*> command) {
    const std::vector<char*> all = terminated(command);
    pid_t child = 0;
    if (posix_spawnp(&child, all[0], nullptr, nullptr, all.data(), environ) != 0) return 127;
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// g++ passes its options on in the environment, each in quotes, and with response files read.
std::string linker_output() {
    const char* variable = std::getenv("COLLECT_GCC_OPTIONS");
    std::vector<std::string> options;
    std::string word;
    bool quoted = false;
    bool any = false;
    const auto end_word = [&] {
        if (any) options.push_back(word);
        word.clear();
        any = false;
    };
    const std::string_view text = variable == nullptr ? "" : variable;
    for (std::size_t i = 0; i != text.size(); ++i) {
        const char c = text[i];
        if (c == '\'') {
            quoted = !quoted;
            any = true;
        } else if (!quoted && c == '\\' && i + 1 != text.size()) {
            word += text[++i];
        } else if (!quoted && c == ' ') {
            end_word();
        } else {
            word += c;
        }
    }
    end_word();
    std::string output = "a.out";
    for (std::size_t i = 0; i != options.size(); ++i) {
        if (options[i] == "-o" && i + 1 != options.size()) output = options[i + 1];
    }
    return output;
}

}  // namespace weft::tools
