#include "functions.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <unordered_map>

namespace weft::tools {
namespace {

template <typename T>
T load(std::span<const std::byte> bytes, std::size_t at) {
    T value{};
    if (bytes.size() >= at + sizeof value) std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

template <std::size_t Size>
bool begins_with(std::span<const std::byte> bytes, std::size_t at,
                 const std::array<unsigned char, Size>& code) {
    return bytes.size() >= at + Size && std::memcmp(bytes.data() + at, code.data(), Size) == 0;
}

constexpr std::array<unsigned char, 4> endbr64{0xf3, 0x0f, 0x1e, 0xfa};
constexpr std::array<unsigned char, 9> compare_rsp{0x64, 0x48, 0x3b, 0x24, 0x25, 0x70, 0, 0, 0};
constexpr std::array<unsigned char, 9> compare_r11{0x64, 0x4c, 0x3b, 0x1c, 0x25, 0x70, 0, 0, 0};
constexpr std::array<unsigned char, 4> lea_r11{0x4c, 0x8d, 0x9c, 0x24};
constexpr std::size_t lea_r11_size = 8;

bool has_split_prologue(std::span<const std::byte> code) {
    const std::size_t at = begins_with(code, 0, endbr64) ? endbr64.size() : 0;
    return begins_with(code, at, compare_rsp) ||
           (begins_with(code, at, lea_r11) && begins_with(code, at + lea_r11_size, compare_r11));
}

// In bytes, without regard to where instructions begin: four bytes that happen to lead there are not to be expected.
bool calls_one_of(std::span<const std::byte> code, std::uint64_t address,
                  const std::vector<std::uint64_t>& targets) {
    constexpr std::byte call{0xe8};
    for (std::size_t i = 0; i + 5 <= code.size(); ++i) {
        if (code[i] != call) continue;
        const auto target =
            address + i + 5 +
            static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(code, i + 1)});
        if (std::find(targets.begin(), targets.end(), target) != targets.end()) return true;
    }
    return false;
}

bool is_better_name(const elf_file::symbol& a, const elf_file::symbol& b) {
    const auto rank = [](const elf_file::symbol& s) {
        const int typed = s.type == STT_NOTYPE ? 0 : 4;
        return typed + (s.bind == STB_GLOBAL ? 2 : s.bind == STB_LOCAL ? 0 : 1);
    };
    return rank(a) > rank(b);
}

// `f` for `f.cold` and `f.cold.1`; empty for all others.
std::string_view name_of_whole(std::string_view name) {
    const std::size_t at = name.rfind(".cold");
    if (at == std::string_view::npos || at == 0) return {};
    const std::string_view rest = name.substr(at + 5);
    const bool numbered =
        rest.starts_with('.') && rest.find_first_not_of("0123456789", 1) == std::string_view::npos;
    return rest.empty() || numbered ? name.substr(0, at) : std::string_view();
}

}  // namespace

function_table::function_table(const elf_file& file) {
    const elf_file::section* runtime = file.section_named("weft_split_text");
    if (runtime != nullptr) {
        runtime_begin_ = runtime->address;
        runtime_end_ = runtime->address + runtime->size;
    }
    for (const elf_file::symbol& s : file.symbols()) {
        if (!s.defined) continue;
        if (s.name == "__start_weft_split_text") runtime_begin_ = s.address;
        if (s.name == "__stop_weft_split_text") runtime_end_ = s.address;
        if (s.name == "__morestack" || s.name == "__morestack_large_model") {
            morestack_.push_back(s.address);
        }
    }
    collect(file);
    find_split(file);
    find_parts();
}

void function_table::collect(const elf_file& file) {
    std::vector<elf_file::symbol> symbols;
    for (const elf_file::symbol& s : file.symbols()) {
        const bool typed = s.type == STT_FUNC || s.type == STT_GNU_IFUNC;
        if (!s.defined || s.name.empty() || (!typed && s.type != STT_NOTYPE)) continue;
        const elf_file::section* in = file.section_of(s.address);
        if (in == nullptr || !in->has(SHF_EXECINSTR)) continue;
        symbols.push_back(s);
    }
    std::stable_sort(symbols.begin(), symbols.end(), [](const auto& a, const auto& b) {
        return a.address != b.address ? a.address < b.address : is_better_name(a, b);
    });
    std::uint64_t typed_end = 0;
    for (const elf_file::symbol& s : symbols) {
        const bool typed = s.type != STT_NOTYPE;
        if (!all_.empty() && all_.back().address == s.address) {
            all_.back().size = std::max(all_.back().size, s.size);
            continue;
        }
        if (!typed && s.address < typed_end) continue;  // A label inside a function.
        function f;
        f.name = s.name;
        f.address = s.address;
        f.size = s.size;
        f.weak = s.bind == STB_WEAK;
        f.is_typed = typed;
        f.is_runtime = in_runtime(s.address);
        f.file = s.file;
        f.whole = all_.size();
        all_.push_back(f);
        if (typed) typed_end = std::max(typed_end, s.address + s.size);
    }
    for (std::size_t i = 0; i != all_.size(); ++i) {
        function& f = all_[i];
        if (f.size != 0) continue;
        const elf_file::section* in = file.section_of(f.address);
        const std::uint64_t end = in->address + in->size;
        f.size = (i + 1 == all_.size() ? end : std::min(end, all_[i + 1].address)) - f.address;
    }
}

void function_table::find_split(const elf_file& file) {
    std::vector<std::uint64_t> entries = morestack_;
    // A shared object gets it from the program, by way of a slot.
    for (const elf_file::section& s : file.sections()) {
        if (!s.name.starts_with(".plt") || !s.has(SHF_EXECINSTR)) continue;
        // By what the file holds: the size of a section without bytes may be anything.
        for (std::size_t i = 0; i < s.bytes.size(); i += 8) {
            if (plt_target(file, s.address + i) == "__morestack") entries.push_back(s.address + i);
        }
    }
    for (function& f : all_) {
        if (f.is_runtime) continue;
        std::span<const std::byte> code = file.bytes_at(f.address);
        code = code.first(std::min<std::size_t>(code.size(), f.size));
        f.is_split = has_split_prologue(code) || calls_one_of(code, f.address, entries);
    }
}

void function_table::find_parts() {
    std::unordered_multimap<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i != all_.size(); ++i) by_name.emplace(all_[i].name, i);
    for (function& f : all_) {
        const std::string_view name = name_of_whole(f.name);
        if (name.empty()) continue;
        // Of several functions of one name, one object can have one only, and all but one are local.
        std::size_t found = none;
        const auto [begin, end] = by_name.equal_range(name);
        for (auto i = begin; i != end; ++i) {
            const bool same_file = all_[i->second].file == f.file;
            if (found == none || same_file ||
                (all_[found].file != f.file && all_[i->second].file == 0)) {
                found = i->second;
            }
        }
        if (found == none) continue;
        f.whole = found;
        f.is_split = all_[found].is_split;
    }
}

std::size_t function_table::at(std::uint64_t address) const {
    auto after = std::upper_bound(all_.begin(), all_.end(), address,
                                  [](std::uint64_t a, const function& f) { return a < f.address; });
    if (after == all_.begin()) return none;
    const function& f = *--after;
    return address - f.address < f.size ? static_cast<std::size_t>(after - all_.begin()) : none;
}

bool function_table::any_split() const {
    return std::any_of(all_.begin(), all_.end(), [](const function& f) { return f.is_split; });
}

std::string_view plt_target(const elf_file& file, std::uint64_t address) {
    // jmp *slot(%rip), perhaps behind endbr64 and a prefix.
    const std::span<const std::byte> code = file.bytes_at(address);
    std::size_t at = begins_with(code, 0, endbr64) ? endbr64.size() : 0;
    if (code.size() > at && code[at] == std::byte{0xf2}) ++at;
    if (!begins_with(code, at, std::array<unsigned char, 2>{0xff, 0x25})) return {};
    return file.bound_at(
        address + at + 6 +
        static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(code, at + 2)}));
}

}  // namespace weft::tools
