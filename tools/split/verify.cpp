// Checks that a program with split stacks can't run off them: what compiler flags and linkers leave open is found here.
//
//     weft-verify-split [--allow FUNCTION]... [--allow-from FILE]... PROGRAM...
//     weft-verify-split [--allow ...] --linking COMMAND...
//
// The second is for g++ -wrapper: it runs the command, and if that was the linker, checks what it has made, and removes
// it if it will not do. weft::split_stack has it on the link line of all who link it.
//
// Exit status: 0 if all is well, 1 if something was found, 2 if there is no telling; else the linker's.
#include "elf.hpp"
#include "findings.hpp"
#include "linking.hpp"
#include "process.hpp"
#include "rules.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace weft::tools;

constexpr const char* usage =
    "usage: weft-verify-split [--allow FUNCTION]... [--allow-from FILE]... PROGRAM...\n"
    "       weft-verify-split [--allow ...] --linking COMMAND...\n";

// gold leaves a note, others a line beside the compilers'.
std::string linker_of(const elf_file& file) {
    if (file.section_named(".note.gnu.gold-version") != nullptr) return "GNU gold";
    const elf_file::section* const comment = file.section_named(".comment");
    if (comment == nullptr) return "";
    return foreign_linker(
        {reinterpret_cast<const char*>(comment->contents.data()), comment->contents.size()});
}

int verify(const std::string& path, const allowances& allowed) {
    try {
        const elf_file file(path);
        if (!file.is_linked()) return 0;
        if (!file.has_symbols()) {
            throw std::runtime_error(
                "it has no symbol table: link without -s, and strip it when it has been "
                "verified");
        }
        std::vector<finding> found = find_problems(file);
        std::erase_if(found, [&](const finding& f) { return allowed.covers(f); });
        if (found.empty()) return 0;
        // Code that is right looks wrong when another linker has made the prologues.
        if (const std::string linker = linker_of(file); !linker.empty()) {
            throw std::runtime_error("split stacks need GNU ld, and " + linker +
                                     " has linked this: link with -fuse-ld=bfd");
        }
        report(std::cerr, path, found);
        return 1;
    } catch (const std::exception& e) {
        std::cerr << "weft-verify-split: " << path << ": " << e.what() << "\n";
        return 2;
    }
}

int link(std::span<char*> command, const allowances& allowed) {
    if (!is_linker(command[0])) {
        become(command);
        return 127;
    }
    if (const std::string why = refusal(command); !why.empty()) {
        std::cerr << "weft-verify-split: " << why << "\n";
        return 1;
    }
    const int status = run(command);
    if (status != 0) return status;
    const std::string output = linker_output();
    // Not where the output goes nowhere, as when g++ is asked what it can do.
    if (!std::filesystem::is_regular_file(output)) return 0;
    const int verdict = verify(output, allowed);
    if (verdict != 0) std::filesystem::remove(output);
    return verdict;
}

int start(std::span<char*> arguments) {
    allowances allowed;
    std::size_t at = 1;
    for (; at + 1 < arguments.size(); at += 2) {
        const std::string_view option = arguments[at];
        if (option == "--linking") return link(arguments.subspan(at + 1), allowed);
        if (option == "--allow") {
            allowed.allow(arguments[at + 1]);
        } else if (option == "--allow-from") {
            allowed.read(arguments[at + 1]);
        } else {
            break;
        }
    }
    if (at >= arguments.size() || std::string_view(arguments[at]).starts_with("--")) {
        std::cerr << usage;
        return 2;
    }
    int worst = 0;
    for (; at < arguments.size(); ++at) worst = std::max(worst, verify(arguments[at], allowed));
    return worst;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return start({argv, static_cast<std::size_t>(argc)});
    } catch (const std::exception& e) {
        std::cerr << "weft-verify-split: " << e.what() << "\n";
        return 2;
    }
}
