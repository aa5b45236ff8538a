#include "support/child.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {
namespace {

[[noreturn]] void be_the_child(int write_end, const std::function<int()>& body,
                               const child_options& options) {
    ::dup2(write_end, STDERR_FILENO);
    ::close(write_end);
    rlimit no_core{};  // Unless the body asks for one.
    ::getrlimit(RLIMIT_CORE, &no_core);
    no_core.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGALRM, SIG_DFL);
    ::signal(SIGABRT, SIG_DFL);
    ::alarm(options.seconds);
    for (const auto& [name, value] : options.environment) {
        ::setenv(name.c_str(), value.c_str(), 1);
    }
    int status = 125;
    try {
        status = body();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "the child's body threw: %s\n", e.what());
    }
    std::fflush(nullptr);
    ::_exit(status);
}

}  // namespace

std::vector<std::string> child_result::lines_with(std::string_view part) const {
    std::vector<std::string> result;
    for (std::size_t at = 0; at < err.size();) {
        const std::size_t end = std::min(err.find('\n', at), err.size());
        const std::string line = err.substr(at, end - at);
        if (line.find(part) != std::string::npos) result.push_back(line);
        at = end + 1;
    }
    return result;
}

child_result run_child(const std::function<int()>& body, const child_options& options) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) {
        ::close(ends[0]);
        be_the_child(ends[1], body, options);
    }
    ::close(ends[1]);

    child_result result;
    char buffer[4096];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
        result.err.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);

    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
}

}  // namespace weft::test
