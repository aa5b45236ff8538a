#include "os/memory.hpp"

#include "base/assert.hpp"
#include "base/stack_facts.hpp"
#include "base/tsan.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

namespace weft::detail {
namespace {

// Newer than the headers of Debian 12.
constexpr int madv_guard_install = 102;
constexpr int madv_guard_remove = 103;
constexpr int pr_set_vma = 0x53564d41;
constexpr unsigned long pr_set_vma_anon_name = 0;

constexpr std::size_t core_stretch_min = std::size_t{4} << 20;
constexpr std::size_t core_stretch_max = std::size_t{64} << 20;

}  // namespace

[[gnu::noinline]] void* reserve_pages(std::size_t size, std::size_t align,
                                      const char* name) noexcept {
    WEFT_DEEP;
    // To ThreadSanitizer a mapping is a write by the coroutine that needed it first. Others of the same processor
    // would race with it, because no edge leads from one to the next.
    const unrecorded unseen;
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

    // Not by printf: it takes several kilobytes under a sanitizer, and the caller may be a coroutine with a small stack.
    char label[64] = "weft:";
    std::strncat(label, name, sizeof(label) - sizeof("weft:"));
    ::prctl(pr_set_vma, pr_set_vma_anon_name, base, size,
            label);  // Fails on old kernels; only a name.
    return base;
}

void release_pages(void* base, std::size_t size) noexcept { WEFT_CHECK(::munmap(base, size) == 0); }

void* resize_pages(void* base, std::size_t size, std::size_t new_size) noexcept {
    void* const moved = ::mremap(base, size, new_size, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? nullptr : moved;
}

std::size_t address_space_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return limit.rlim_cur;
}

void deny_pages(void* base, std::size_t size) noexcept {
    WEFT_CHECK(::mprotect(base, size, PROT_NONE) == 0);
}

// Both fail on what the kernel can't split, and then a core is larger or smaller than it might be.
void keep_out_of_core(void* base, std::size_t size) noexcept {
    ::madvise(base, size, MADV_DONTDUMP);
}

void put_into_core(void* base, std::size_t size) noexcept { ::madvise(base, size, MADV_DODUMP); }

void put_used_into_core(void* base, std::size_t offset, std::size_t unit,
                        std::size_t size) noexcept {
    const std::size_t least = std::max(core_stretch_min, unit);
    const std::size_t most = std::max(core_stretch_max, unit);
    std::size_t stretch = 0;
    if (offset == 0) {
        stretch = least;
    } else if (offset % most == 0) {
        stretch = most;
    } else if (offset >= least && std::has_single_bit(offset)) {
        stretch = offset;  // As much again as there is.
    } else {
        return;
    }
    put_into_core(static_cast<std::byte*>(base) + offset, std::min(stretch, size - offset));
}

bool discard_pages(void* base, std::size_t size) noexcept {
    const int before = errno;
    const bool gone = ::madvise(base, size, MADV_DONTNEED) == 0;  // EINVAL on locked memory.
    errno = before;
    return gone;
}

void zero_pages(void* base, std::size_t size) noexcept {
    if (!discard_pages(base, size)) std::memset(base, 0, size);
}

bool guard_pages(void* base, std::size_t size) noexcept {
    return ::madvise(base, size, madv_guard_install) == 0;
}

bool unguard_pages(void* base, std::size_t size) noexcept {
    return ::madvise(base, size, madv_guard_remove) == 0;
}

bool kernel_takes_page_tables_back() noexcept {
    utsname kernel{};
    if (::uname(&kernel) != 0) return false;
    // "6.14.0-2-amd64". strtoul() reads 0 where there is no number.
    char* rest = nullptr;
    const unsigned long major = std::strtoul(&kernel.release[0], &rest, 10);
    const unsigned long minor = *rest == '.' ? std::strtoul(rest + 1, nullptr, 10) : 0;
    return major > 6 || (major == 6 && minor >= 14);
}

}  // namespace weft::detail
