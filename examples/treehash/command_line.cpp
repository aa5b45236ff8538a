#include "command_line.hpp"

#include "printable.hpp"

#include <charconv>
#include <string_view>
#include <system_error>

namespace treehash {

namespace {

constexpr unsigned open_max_most = 100'000;

bool parse_open_max(std::string_view text, unsigned& value) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end && value >= 1 && value <= open_max_most;
}

}  // namespace

const char usage[] =
    "usage: treehash DIR [--sequential] [--open N] [--quiet]\n"
    "Prints a digest of everything in and below DIR. Links are not followed, DIR itself aside.\n"
    "  --sequential  without coroutines\n"
    "  --open N      at most N files and directories open at once (default 64, at least 2)\n"
    "  --quiet       no progress line\n"
    "Ends with 0; 3 when something could not be read; 2 when called wrongly; 1 when DIR is no\n"
    "directory that can be opened, or the walk had to be given up.\n";

bool parse(int argc, char** argv, command_line& parsed, std::string& complaint) {
    bool options_end = false;
    bool have_directory = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (options_end || !argument.starts_with("-")) {
            if (have_directory) {
                complaint = "one DIR only, not also '" + printable(argument) + "'";
                return false;
            }
            parsed.directory = argument;
            have_directory = true;
        } else if (argument == "--") {
            options_end = true;
        } else if (argument == "--sequential") {
            parsed.sequential = true;
        } else if (argument == "--quiet") {
            parsed.quiet = true;
        } else if (argument == "--help") {
            parsed.help = true;
            return true;
        } else if (argument == "--open") {
            const std::string_view number = ++i < argc ? argv[i] : "";
            if (!parse_open_max(number, parsed.open_max)) {
                complaint = "--open wants a number from 1 to " + std::to_string(open_max_most) +
                            ", not '" + printable(number) + "'";
                return false;
            }
        } else {
            complaint = "no such option: '" + printable(argument) + "'";
            return false;
        }
    }
    if (!have_directory) complaint = "which DIR?";
    return have_directory;
}

}  // namespace treehash
