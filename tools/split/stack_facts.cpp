#include "stack_facts.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace weft::tools {
namespace {

constexpr std::string_view section_name = "weft_stack_facts";
constexpr std::size_t address_size = 8;

// Takes a string that ends with a null off the front of `bytes`.
std::string take_string(std::span<const std::byte>& bytes) {
    const auto end = std::find(bytes.begin(), bytes.end(), std::byte{0});
    if (end == bytes.end()) throw std::runtime_error("its stack facts end in the middle of one");
    std::string text;
    for (auto at = bytes.begin(); at != end; ++at) text += static_cast<char>(*at);
    bytes = bytes.subspan(text.size() + 1);
    return text;
}

// The function that a place in an object lies in.
std::string function_at(const elf_file& object, const elf_file::relocation& place) {
    const std::vector<elf_file::symbol>& symbols = object.symbols();
    if (place.symbol >= symbols.size()) return {};
    const elf_file::symbol& base = symbols[place.symbol];
    const std::uint64_t at = base.address + static_cast<std::uint64_t>(place.addend);
    for (const elf_file::symbol& s : symbols) {
        if (s.type == STT_FUNC && s.defined && s.section == base.section &&
            at - s.address < s.size) {
            return std::string(s.name);
        }
    }
    return {};
}

}  // namespace

std::vector<stack_fact> stack_facts_in(const elf_file& object) {
    const elf_file::section* const section = object.section_named(section_name);
    if (section == nullptr) return {};
    const std::vector<elf_file::relocation> places = object.relocations_in(section_name);
    std::vector<stack_fact> facts;
    for (std::span<const std::byte> left = section->contents; !left.empty();) {
        const std::uint64_t offset = section->contents.size() - left.size();
        if (left.size() < address_size) {
            throw std::runtime_error("its stack facts end in the middle of one");
        }
        left = left.subspan(address_size);
        stack_fact fact;
        fact.kind = take_string(left);
        fact.argument = take_string(left);
        fact.where = take_string(left);
        fact.where += ':';
        fact.where += take_string(left);
        const auto place =
            std::find_if(places.begin(), places.end(),
                         [&](const elf_file::relocation& r) { return r.offset == offset; });
        if (place != places.end()) fact.function = function_at(object, *place);
        if (fact.function.empty()) {
            throw std::runtime_error(fact.where + ": this stands in no function");
        }
        facts.push_back(std::move(fact));
    }
    return facts;
}

}  // namespace weft::tools
