// The functions of a program, and which of them have split stacks.
//
// A function has one if it begins as the compiler's prologue does, or calls __morestack. A part of one that the compiler
// put elsewhere (`f.cold`) has no prologue: it is what its function is.
#pragma once

#include "elf.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::tools {

struct function {
    std::string_view name;
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    bool weak = false;      // A copy of an inline function, most likely.
    bool is_typed = false;  // The symbol says that it is a function: assembly may not.
    bool is_split = false;
    bool is_runtime = false;  // In the runtime's own section, whose code sees to its stack.
    std::size_t file = 0;
    std::size_t whole = 0;  // The function it is a part of: itself, most often.
};

class function_table {
public:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    explicit function_table(const elf_file& file);

    [[nodiscard]] const std::vector<function>& all() const { return all_; }
    [[nodiscard]] const function& operator[](std::size_t i) const { return all_[i]; }
    /// The one whose code is at `address`.
    [[nodiscard]] std::size_t at(std::uint64_t address) const;

    [[nodiscard]] bool any_split() const;
    [[nodiscard]] bool in_runtime(std::uint64_t address) const {
        return address - runtime_begin_ < runtime_end_ - runtime_begin_;
    }
    [[nodiscard]] bool has_runtime() const { return runtime_begin_ != runtime_end_; }
    /// Where __morestack is defined; 0 if it comes from another object.
    [[nodiscard]] const std::vector<std::uint64_t>& morestack() const { return morestack_; }

private:
    void collect(const elf_file& file);
    void find_split(const elf_file& file);
    void find_parts();

    std::vector<function> all_;  // By address; no two at the same.
    std::vector<std::uint64_t> morestack_;
    std::uint64_t runtime_begin_ = 0;
    std::uint64_t runtime_end_ = 0;
};

/// The name in a call to a slot of the procedure linkage table; empty if there is no telling.
std::string_view plt_target(const elf_file& file, std::uint64_t address);

}  // namespace weft::tools
