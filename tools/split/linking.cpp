#include "linking.hpp"

#include "process.hpp"

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

namespace weft::tools {
namespace {

// g++ passes its options on in the environment, each in quotes, and with response files read.
std::vector<std::string> compiler_options() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): this program has one thread.
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
    return options;
}

// What the linker prints when it is asked for its version; empty if it can't be asked.
std::string version_of(std::span<char*> command) {
    std::vector<std::string> asking{command[0]};
    for (const char* argument : command.subspan(1)) {
        if (std::string_view(argument).starts_with("-fuse-ld=")) asking.emplace_back(argument);
    }
    asking.emplace_back("--version");
    return output_of(asking);
}

}  // namespace

std::string foreign_linker(std::string_view text) {
    for (const char* name : {"GNU gold", "LLD", "mold"}) {
        if (text.find(name) != std::string_view::npos) return name;
    }
    return "";
}

bool is_linker(const std::string& command) {
    return std::filesystem::path(command).filename() == "collect2";
}

std::string linker_output() {
    const std::vector<std::string> options = compiler_options();
    std::string output = "a.out";
    for (std::size_t i = 0; i != options.size(); ++i) {
        if (options[i] == "-o" && i + 1 != options.size()) output = options[i + 1];
    }
    return output;
}

std::string refusal(std::span<char*> command) {
    for (const std::string& option : compiler_options()) {
        if (option == "-static" || option == "-static-pie") {
            return "split stacks need the dynamic C library, because signal handlers and longjmp "
                   "are replaced in it: link "
                   "without " +
                   option + ", or link weft::weft, whose stacks are reserved";
        }
    }
    const std::string linker = foreign_linker(version_of(command));
    if (linker.empty()) return "";
    return "split stacks need GNU ld, and this link is made by " + linker +
           ": link with -fuse-ld=bfd";
}

}  // namespace weft::tools
