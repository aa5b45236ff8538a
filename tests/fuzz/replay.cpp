// Gives kept inputs to a fuzz target, in builds without libFuzzer.
//
//     fuzz_replay_NAME FILE-or-FOLDER...
//
// Exit status: 0 when each input was read and no promise broke; 1 when there was no input at all or one can't be read.
// The name of an input is printed before it is tried, so a crash names its cause.
#include "fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs_of(int count, char** arguments) {
    std::vector<fs::path> files;
    for (int i = 1; i < count; ++i) {
        if (!fs::is_directory(arguments[i])) {
            files.emplace_back(arguments[i]);
            continue;
        }
        for (const fs::directory_entry& entry : fs::directory_iterator(arguments[i])) {
            if (entry.is_regular_file()) files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

void replay(const fs::path& file) {
    std::printf("%s\n", file.c_str());
    static_cast<void>(std::fflush(stdout));
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error("can't read " + file.string());
    const std::vector<char> bytes(std::istreambuf_iterator<char>(in), {});
    // A copy of exactly its size, so the address sanitizer sees a read beyond the end.
    const auto copy = std::make_unique<std::uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), copy.get());
    LLVMFuzzerTestOneInput(copy.get(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::vector<fs::path> files = inputs_of(argc, argv);
        if (files.empty()) throw std::runtime_error("there is no input: name a file or a folder");
        for (const fs::path& file : files) replay(file);
        std::printf("%zu inputs\n", files.size());
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "replay: %s\n", e.what());
        return 1;
    }
}
