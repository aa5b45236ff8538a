// The tools for split stacks: their reader of ELF files, what they find in an object about its functions, the verifier's
// table of functions and, where Capstone is there, its rules.
#include "../../tools/split/elf.hpp"

#include "../../tools/split/functions.hpp"
#include "../../tools/split/stack_facts.hpp"
#include "fuzz.hpp"
#if WEFT_FUZZ_RULES
#include "../../tools/split/findings.hpp"
#include "../../tools/split/rules.hpp"
#endif

#include <algorithm>
#include <cstring>
#include <span>
#include <sstream>
#include <stdexcept>
#include <vector>

using weft::fuzz::promise;

namespace {

bool is_part(std::span<const std::byte> part, std::span<const std::byte> whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

void look_at(const weft::tools::elf_file& file, std::span<const std::byte> bytes) {
    for (const auto& s : file.sections()) {
        promise(is_part(s.bytes, bytes), "a section's bytes are the file's");
        promise(is_part(std::as_bytes(std::span(s.name)), bytes), "so is its name");
        promise(s.bytes.size() <= s.size || s.size == 0, "a section has no more bytes than room");
    }
    for (const auto& s : file.symbols()) {
        promise(is_part(std::as_bytes(std::span(s.name)), bytes), "a symbol's name is the file's");
        promise(is_part(file.bytes_at(s.address), bytes), "so are the bytes where it is");
    }
    promise(std::is_sorted(file.moved().begin(), file.moved().end()), "moved addresses are sorted");

    const weft::tools::function_table functions(file);
    std::uint64_t before = 0;
    for (const auto& f : functions.all()) {
        promise(f.address >= before, "functions are sorted by address");
        promise(f.whole < functions.all().size(), "a part belongs to a function that is there");
        before = f.address;
    }
    try {
        for (const weft::tools::stack_fact& f : weft::tools::stack_facts_in(file)) {
            promise(!f.function.empty(), "a fact is one of a function");
        }
    } catch (const std::runtime_error& e) {
        promise(e.what()[0] != '\0', "an error has a message");
    }
#if WEFT_FUZZ_RULES
    if (!file.is_linked() || !file.has_symbols()) return;
    std::ostringstream text;
    weft::tools::report(text, "input", weft::tools::find_problems(file));
#endif
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Aligned, as a mapped file is; the words hold no more than the input, rounded up.
    std::vector<std::uint64_t> words((size + 7) / 8);
    if (size != 0) std::memcpy(words.data(), data, size);
    const std::span<const std::byte> bytes = std::as_bytes(std::span(words)).first(size);
    try {
        const weft::tools::elf_file file(bytes);
        look_at(file, bytes);
    } catch (const std::runtime_error& e) {
        promise(e.what()[0] != '\0', "an error has a message");
    }
    return 0;
}
