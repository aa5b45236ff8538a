// How much memory the process has.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace weft::test {

/// In bytes, as the kernel counts it: without page tables.
inline std::size_t resident_bytes() {
    std::size_t total = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// The page tables of the process, in bytes.
inline std::size_t page_table_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmPTE:")) return std::stoul(line.substr(6)) * 1024;
    }
    return 0;
}

/// Whether the kernel takes a table back when one call discards all of its pages; tried out.
inline bool kernel_takes_page_tables_back() {
    constexpr std::size_t span = std::size_t{2} << 20;
    constexpr std::size_t count = 16;
    void* const all = ::mmap(nullptr, count * span, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return false;
    ::madvise(all, count * span, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i != count; ++i) static_cast<volatile char*>(all)[i * span] = 1;
    const std::size_t before = page_table_bytes();
    ::madvise(all, count * span, MADV_DONTNEED);
    const bool taken = page_table_bytes() + (count - 4) * 4096 <= before;
    ::munmap(all, count * span);
    return taken;
}

}  // namespace weft::test
