// The options that the program was given.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace jobserver {

struct command_line {
    unsigned workers = 4;
    std::size_t queue = 16;
    std::chrono::milliseconds limit{10'000};
    bool help = false;
};

extern const char usage[];

/// Fills in `parsed`, or says in `complaint` what is wrong and returns false.
bool parse(int argc, char** argv, command_line& parsed, std::string& complaint);

}  // namespace jobserver
