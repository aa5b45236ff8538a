#include "elf.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft::tools {

mapped_file::mapped_file(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || fstat(fd, &status) != 0) {
        const std::string why = std::generic_category().message(errno);
        if (fd >= 0) close(fd);
        throw std::runtime_error("can't read it: " + why);
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* at = size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (at == MAP_FAILED) throw std::runtime_error("can't read it");
    bytes_ = {static_cast<const std::byte*>(at), size};
}

mapped_file::~mapped_file() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

elf_file::elf_file(const std::string& path) : mapping_(path), file_(mapping_.bytes()) { read(); }

elf_file::elf_file(std::span<const std::byte> bytes) : file_(bytes) { read(); }

void elf_file::read() {
    Elf64_Ehdr header{};
    if (file_.size() >= sizeof header) std::memcpy(&header, file_.data(), sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64) {
        throw std::runtime_error("it is no program for x86-64");
    }
    if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) {
        throw std::runtime_error("the file is damaged: its section headers have a wrong size");
    }
    type_ = header.e_type;
    Elf64_Shdr all{};
    all.sh_offset = header.e_shoff;
    all.sh_size = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
    headers_ = table<Elf64_Shdr>(all);
    read_sections(header.e_shstrndx);
}

template <typename T>
std::span<const T> elf_file::table(const Elf64_Shdr& header) const {
    if (header.sh_type == SHT_NOBITS) return {};
    if (header.sh_offset > file_.size() || header.sh_size > file_.size() - header.sh_offset ||
        header.sh_offset % alignof(T) != 0) {
        throw std::runtime_error("the file is damaged: a section lies outside of it");
    }
    // The bytes begin where every table may, and tables are aligned in them.
    const void* at = file_.data() + header.sh_offset;
    return {static_cast<const T*>(at), header.sh_size / sizeof(T)};
}

const Elf64_Shdr& elf_file::header_at(std::size_t index) const {
    if (index >= headers_.size()) {
        throw std::runtime_error("the file is damaged: a section refers to one that is not there");
    }
    return headers_[index];
}

std::string_view elf_file::text(const Elf64_Shdr& strings, std::size_t at) const {
    const std::span<const char> all = table<char>(strings);
    if (at >= all.size()) return {};
    return {all.data() + at, strnlen(all.data() + at, all.size() - at)};
}

void elf_file::read_sections(std::size_t names) {
    for (const Elf64_Shdr& h : headers_) {
        section s;
        s.name = text(header_at(names), h.sh_name);
        s.address = h.sh_addr;
        s.size = (h.sh_flags & SHF_ALLOC) != 0 ? h.sh_size : 0;
        if (s.address + s.size < s.address) {
            throw std::runtime_error("the file is damaged: a section goes beyond all addresses");
        }
        s.contents = table<std::byte>(h);
        if (s.size != 0) s.bytes = s.contents;
        s.type = h.sh_type;
        s.flags = h.sh_flags;
        if ((h.sh_flags & SHF_TLS) != 0 && h.sh_type == SHT_NOBITS)
            s.size = 0;  // It takes no room.
        sections_.push_back(s);
    }
    for (const Elf64_Shdr& h : headers_) {
        if (h.sh_type == SHT_SYMTAB) read_symbols(h);
        if (h.sh_type == SHT_RELA && (h.sh_flags & SHF_ALLOC) != 0) read_relocations(h);
        if (h.sh_type == SHT_RELR) read_relative(h);
        if (h.sh_type == SHT_DYNAMIC) read_dynamic(h);
    }
    std::sort(moved_.begin(), moved_.end());
    moved_.erase(std::unique(moved_.begin(), moved_.end()), moved_.end());
}

void elf_file::read_symbols(const Elf64_Shdr& header) {
    std::size_t file = 0;
    for (const Elf64_Sym& s : table<Elf64_Sym>(header)) {
        symbol found;
        found.type = ELF64_ST_TYPE(s.st_info);
        found.bind = ELF64_ST_BIND(s.st_info);
        if (found.type == STT_FILE) ++file;
        found.name = text(header_at(header.sh_link), s.st_name);
        found.address = s.st_value;
        found.size = s.st_size;
        found.defined = s.st_shndx != SHN_UNDEF;
        found.hidden = ELF64_ST_VISIBILITY(s.st_other) != STV_DEFAULT;
        found.section = s.st_shndx < SHN_LORESERVE ? s.st_shndx : 0;
        found.file = found.bind == STB_LOCAL ? file : 0;
        symbols_.push_back(found);
    }
}

void elf_file::read_relocations(const Elf64_Shdr& header) {
    if (header.sh_link == 0)
        return;  // Static programs have some for their own start, without symbols.
    const Elf64_Shdr& symbols = header_at(header.sh_link);
    const std::span<const Elf64_Sym> names = table<Elf64_Sym>(symbols);
    for (const Elf64_Rela& r : table<Elf64_Rela>(header)) {
        const std::size_t index = ELF64_R_SYM(r.r_info);
        const auto type = ELF64_R_TYPE(r.r_info);
        if (type == R_X86_64_RELATIVE) {
            moved_.push_back(static_cast<std::uint64_t>(r.r_addend));
        } else if (index != 0 && index < names.size()) {
            bound_[r.r_offset] = text(header_at(symbols.sh_link), names[index].st_name);
        }
        if (type == R_X86_64_JUMP_SLOT) has_lazy_slots_ = true;
    }
}

// Relative relocations in their packed form: an address, or a bitmap of the 63 words behind the last one.
void elf_file::read_relative(const Elf64_Shdr& header) {
    std::uint64_t next = 0;
    const auto take = [&](std::uint64_t address) {
        const std::span<const std::byte> word = bytes_at(address);
        std::uint64_t value = 0;
        if (word.size() < sizeof value) return;
        std::memcpy(&value, word.data(), sizeof value);
        moved_.push_back(value);
    };
    for (const std::uint64_t entry : table<std::uint64_t>(header)) {
        if ((entry & 1) == 0) {
            take(entry);
            next = entry + 8;
        } else {
            for (std::uint64_t i = 1; i != 64; ++i) {
                if ((entry >> i & 1) != 0) take(next + (i - 1) * 8);
            }
            next += std::uint64_t{63} * 8;
        }
    }
}

void elf_file::read_dynamic(const Elf64_Shdr& header) {
    for (const Elf64_Dyn& d : table<Elf64_Dyn>(header)) {
        if (d.d_tag == DT_BIND_NOW) binds_now_ = true;
        if (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_BIND_NOW) != 0) binds_now_ = true;
        if (d.d_tag == DT_FLAGS_1 && (d.d_un.d_val & DF_1_NOW) != 0) binds_now_ = true;
    }
}

const elf_file::section* elf_file::section_of(std::uint64_t address) const {
    for (const section& s : sections_) {
        if (s.contains(address)) return &s;
    }
    return nullptr;
}

const elf_file::section* elf_file::section_named(std::string_view name) const {
    for (const section& s : sections_) {
        if (s.name == name) return &s;
    }
    return nullptr;
}

std::vector<elf_file::relocation> elf_file::relocations_in(std::string_view name) const {
    std::vector<relocation> found;
    for (const Elf64_Shdr& h : headers_) {
        if (h.sh_type != SHT_RELA || h.sh_info >= sections_.size()) continue;
        if (sections_[h.sh_info].name != name) continue;
        for (const Elf64_Rela& r : table<Elf64_Rela>(h)) {
            found.push_back({r.r_offset, ELF64_R_SYM(r.r_info), r.r_addend});
        }
    }
    return found;
}

std::span<const std::byte> elf_file::bytes_at(std::uint64_t address) const {
    const section* s = section_of(address);
    if (s == nullptr || address - s->address >= s->bytes.size()) return {};
    return s->bytes.subspan(address - s->address);
}

std::string_view elf_file::bound_at(std::uint64_t slot) const {
    const auto found = bound_.find(slot);
    return found == bound_.end() ? std::string_view() : found->second;
}

}  // namespace weft::tools
