// A file of code as these tools see it: ELF64 for x86-64. A program or a shared object for the verifier, an object for
// what makes the runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <elf.h>

namespace weft::tools {

/// A file's bytes, mapped for reading; none until it has one.
class mapped_file {
public:
    mapped_file() = default;
    /// Throws std::runtime_error if the file can't be read.
    explicit mapped_file(const std::string& path);
    mapped_file(const mapped_file&) = delete;
    mapped_file& operator=(const mapped_file&) = delete;
    ~mapped_file();

    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

class elf_file {
public:
    struct section {
        std::string_view name;
        std::uint64_t address = 0;
        std::uint64_t size = 0;
        std::span<const std::byte> bytes;     // Empty where the file holds none.
        std::span<const std::byte> contents;  // The same also where it is no part of the program.
        std::uint32_t type = 0;
        std::uint64_t flags = 0;

        [[nodiscard]] bool has(std::uint64_t flag) const { return (flags & flag) != 0; }
        [[nodiscard]] bool contains(std::uint64_t at) const {
            return at - address < size;  // Wraps below the start.
        }
    };

    struct symbol {
        std::string_view name;
        std::uint64_t address = 0;
        std::uint64_t size = 0;
        unsigned char type = 0;  // STT_
        unsigned char bind = 0;  // STB_
        bool defined = false;
        bool hidden = false;
        std::size_t section = 0;  // Its index, where it is in one.
        std::size_t file =
            0;  // The same for local symbols of one object; 0 for those that are not local.
    };

    struct relocation {
        std::uint64_t offset = 0;
        std::size_t symbol = 0;  // Its index.
        std::int64_t addend = 0;
    };

    /// Throws std::runtime_error, with a message for people, if it isn't a file of that kind.
    explicit elf_file(const std::string& path);
    /// The same for bytes that the caller keeps; they begin at a multiple of 8, as those of a mapped file do.
    explicit elf_file(std::span<const std::byte> bytes);
    elf_file(const elf_file&) = delete;
    elf_file& operator=(const elf_file&) = delete;

    /// Whether it was linked at all: neither an object, nor something else that linkers write.
    [[nodiscard]] bool is_linked() const { return type_ == ET_EXEC || type_ == ET_DYN; }
    /// Whether it is where it was linked for: addresses in its data have no relocations.
    [[nodiscard]] bool is_fixed() const { return type_ == ET_EXEC; }
    [[nodiscard]] bool has_symbols() const { return !symbols_.empty(); }

    [[nodiscard]] const std::vector<section>& sections() const { return sections_; }
    [[nodiscard]] const std::vector<symbol>& symbols() const { return symbols_; }
    [[nodiscard]] const section* section_of(std::uint64_t address) const;
    [[nodiscard]] const section* section_named(std::string_view name) const;
    /// What an object leaves to the linker in that section.
    [[nodiscard]] std::vector<relocation> relocations_in(std::string_view name) const;
    /// What the file holds from `address` to the end of the section, if anything.
    [[nodiscard]] std::span<const std::byte> bytes_at(std::uint64_t address) const;

    /// The symbol that the dynamic linker writes the address of to `slot`, without version; empty if there is none.
    [[nodiscard]] std::string_view bound_at(std::uint64_t slot) const;
    /// The addresses inside the program that the dynamic linker moves along with it.
    [[nodiscard]] const std::vector<std::uint64_t>& moved() const { return moved_; }
    /// Whether calls are bound at the first one.
    [[nodiscard]] bool binds_lazily() const { return has_lazy_slots_ && !binds_now_; }

private:
    template <typename T>
    [[nodiscard]] std::span<const T> table(const Elf64_Shdr& header) const;
    [[nodiscard]] const Elf64_Shdr& header_at(std::size_t index) const;
    [[nodiscard]] std::string_view text(const Elf64_Shdr& strings, std::size_t at) const;
    void read();
    void read_sections(std::size_t names);
    void read_symbols(const Elf64_Shdr& header);
    void read_relocations(const Elf64_Shdr& header);
    void read_relative(const Elf64_Shdr& header);
    void read_dynamic(const Elf64_Shdr& header);

    mapped_file mapping_;
    std::span<const std::byte> file_;
    unsigned type_ = 0;
    std::span<const Elf64_Shdr> headers_;
    std::vector<section> sections_;
    std::vector<symbol> symbols_;
    std::map<std::uint64_t, std::string_view> bound_;
    std::vector<std::uint64_t> moved_;
    bool binds_now_ = false;
    bool has_lazy_slots_ = false;
};

}  // namespace weft::tools
