// What the user asks for.
#pragma once

#include <string>

namespace treehash {

struct command_line {
    std::string directory;
    unsigned open_max = 64;
    bool sequential = false;
    bool quiet = false;
    bool help = false;
};

extern const char usage[];

/// False when the arguments make no sense; `complaint` then says why.
bool parse(int argc, char** argv, command_line& parsed, std::string& complaint);

}  // namespace treehash
