#include "command_line.hpp"

#include "number.hpp"

#include <optional>
#include <string_view>

namespace jobserver {

const char usage[] =
    "usage: jobserver [--workers N] [--queue N] [--limit MS]\n"
    "Reads a job from each line of its input, and writes a line for each as it ends:\n"
    "  NUMBER done RESULT | NUMBER error REASON | NUMBER late\n"
    "where NUMBER is the job's line. The jobs are:\n"
    "  collatz N              how many steps it takes from N to 1\n"
    "  primes N               how many primes there are below N\n"
    "  sleep MS               nothing, for so many milliseconds\n"
    "  within MS JOB          another of these, with a limit of its own\n"
    "Options:\n"
    "  --workers N            jobs at once (default 4)\n"
    "  --queue N              jobs that wait (default 16); further lines are not read meanwhile\n"
    "  --limit MS             what a job may take (default 10000)\n"
    "Ends with 0 after the last answer; 2 when called wrongly; 1 when it can't read or write.\n";

bool parse(int argc, char** argv, command_line& parsed, std::string& complaint) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help" || option == "-h") {
            parsed.help = true;
            return true;
        }
        if (option != "--workers" && option != "--queue" && option != "--limit") {
            complaint = "no such option: '" + std::string(option) + "'";
            return false;
        }
        const std::string_view text = ++i < argc ? argv[i] : "";
        const std::optional<long long> value =
            number(text, 1, option == "--limit" ? 86'400'000 : 10'000);
        if (!value) {
            complaint = std::string(option) + " wants a number from 1 to " +
                        (option == "--limit" ? "86400000" : "10000") + ", not '" +
                        std::string(text) + "'";
            return false;
        }
        if (option == "--workers") {
            parsed.workers = static_cast<unsigned>(*value);
        } else if (option == "--queue") {
            parsed.queue = static_cast<std::size_t>(*value);
        } else {
            parsed.limit = std::chrono::milliseconds(*value);
        }
    }
    return true;
}

}  // namespace jobserver
