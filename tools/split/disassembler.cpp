#include "disassembler.hpp"

#include <stdexcept>

namespace weft::tools {

disassembler::disassembler() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) != CS_ERR_OK) {
        throw std::runtime_error("Capstone does not know x86");
    }
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = cs_malloc(handle_);
}

disassembler::~disassembler() {
    cs_free(instruction_, 1);
    cs_close(&handle_);
}

std::size_t disassembler::next(std::span<const std::byte> code, std::uint64_t address) {
    const void* start = code.data();
    const auto* at = static_cast<const std::uint8_t*>(start);
    std::size_t left = code.size();
    if (!cs_disasm_iter(handle_, &at, &left, &address, instruction_)) return 0;
    return instruction_->size;
}

// VEX and EVEX instructions have one form: prefix, opcode, ModRM, SIB, displacement, immediate.
std::size_t disassembler::vector_size(std::span<const std::byte> code) {
    const auto byte = [&](std::size_t i) {
        return i < code.size() ? std::to_integer<unsigned>(code[i]) : 0U;
    };
    std::size_t at = 0;
    unsigned map = 1;
    if (byte(0) == 0xc5) {
        at = 2;
    } else if (byte(0) == 0xc4) {
        at = 3;
        map = byte(1) & 0x1f;
    } else if (byte(0) == 0x62) {
        at = 4;
        map = byte(1) & 7;
    } else {
        return 0;
    }
    const unsigned opcode = byte(at++);
    const unsigned modrm = byte(at++);
    const unsigned mode = modrm >> 6;
    const unsigned rm = modrm & 7;
    if (mode != 3) {
        const unsigned base = rm == 4 ? byte(at++) & 7 : rm;  // Of the SIB byte, if there is one.
        at += mode == 2 || (mode == 0 && base == 5) ? 4 : mode;
    }
    const bool shift = opcode >= 0x70 && opcode <= 0x73;
    const bool compare_or_shuffle = opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6);
    if (map == 3 || (map == 1 && (shift || compare_or_shuffle))) ++at;
    return at <= code.size() ? at : 0;
}

}  // namespace weft::tools
