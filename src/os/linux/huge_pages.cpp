#include "os/huge_pages.hpp"

#include <cerrno>

#include <sys/mman.h>

namespace weft::detail {
namespace {

constexpr int madv_populate_write = 23;  // Newer than some headers.

}  // namespace

void allow_huge_pages(void* base, std::size_t size) noexcept {
    const int before = errno;
    ::madvise(base, size, MADV_HUGEPAGE);  // Fails on kernels without them, and nothing is lost.
    errno = before;
}

bool populate_pages(void* base, std::size_t size) noexcept {
    const int before = errno;
    const bool there = ::madvise(base, size, madv_populate_write) == 0;
    errno = before;
    return there;
}

}  // namespace weft::detail
