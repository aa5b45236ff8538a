#include "os/memory.hpp"

#include "base/assert.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include <sys/mman.h>
#include <sys/prctl.h>

namespace weft::detail {
namespace {

// Newer than the headers of Debian 12.
constexpr int madv_guard_install = 102;
constexpr int pr_set_vma = 0x53564d41;
constexpr unsigned long pr_set_vma_anon_name = 0;

}  // namespace

void* reserve_pages(std::size_t size, std::size_t align, const char* name) noexcept {
    const std::size_t slack = align > page_size ? align : 0;
    void* const mapped = ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;

    auto start = reinterpret_cast<std::uintptr_t>(mapped);
    if (slack != 0) {
        const std::uintptr_t aligned = (start + align - 1) & ~(align - 1);
        if (aligned != start) ::munmap(mapped, aligned - start);
        const std::size_t behind = start + slack - aligned;
        if (behind != 0) ::munmap(reinterpret_cast<void*>(aligned + size), behind);
        start = aligned;
    }
    void* const base = reinterpret_cast<void*>(start);
    ::madvise(base, size, MADV_NOHUGEPAGE);  // A huge page under a stack would commit 2 MiB for it.

    char label[64];
    std::snprintf(label, sizeof(label), "weft:%s", name);
    ::prctl(pr_set_vma, pr_set_vma_anon_name, base, size,
            label);  // Fails on old kernels; only a name.
    return base;
}

void release_pages(void* base, std::size_t size) noexcept { WEFT_CHECK(::munmap(base, size) == 0); }

void deny_pages(void* base, std::size_t size) noexcept {
    WEFT_CHECK(::mprotect(base, size, PROT_NONE) == 0);
}

void discard_pages(void* base, std::size_t size) noexcept {
    const int before = errno;
    ::madvise(base, size, MADV_DONTNEED);  // EINVAL on locked memory: then it simply stays.
    errno = before;
}

bool guard_pages(void* base, std::size_t size) noexcept {
    return ::madvise(base, size, madv_guard_install) == 0;
}

}  // namespace weft::detail
