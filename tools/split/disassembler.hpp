// Capstone, an instruction at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <capstone/capstone.h>

namespace weft::tools {

class disassembler {
public:
    disassembler();
    disassembler(const disassembler&) = delete;
    disassembler& operator=(const disassembler&) = delete;
    ~disassembler();

    /// Calls `see` with each instruction of the code, which is at `address`. False if there was one that nobody knows; it
    /// goes on with the next byte then.
    template <typename See>
    bool read(std::span<const std::byte> code, std::uint64_t address, See&& see) {
        bool all_known = true;
        while (!code.empty()) {
            const std::size_t size = next(code, address);
            if (size != 0) {
                see(*instruction_);
            } else if (vector_size(code) == 0) {
                all_known = false;
            }
            const std::size_t step = size != 0                ? size
                                     : vector_size(code) != 0 ? vector_size(code)
                                                              : 1;
            code = code.subspan(step);
            address += step;
        }
        return all_known;
    }

private:
    /// The size of the instruction, or 0.
    std::size_t next(std::span<const std::byte> code, std::uint64_t address);
    /// That of a vector instruction, also of those that are newer than Capstone: none of them jumps. 0 if it is no such.
    static std::size_t vector_size(std::span<const std::byte> code);

    csh handle_ = 0;
    cs_insn* instruction_ = nullptr;
};

}  // namespace weft::tools
