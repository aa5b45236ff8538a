#include "gc/mark/mark_queue.hpp"

#include "base/assert.hpp"
#include "base/config.hpp"
#include "os/memory.hpp"

#include <algorithm>

namespace weft::detail {
namespace {

constexpr std::size_t entries_least = tiny_limits ? 512 : std::size_t{16} * 1024;
// What a queue may keep from one collection to the next.
constexpr std::size_t entries_kept = std::size_t{128} * 1024;
static_assert(entries_least * sizeof(mark_entry) % page_size == 0);

}  // namespace

mark_queue::~mark_queue() { release(); }

bool mark_queue::grow() noexcept {
    const std::size_t capacity = std::max(2 * capacity_, entries_least);
    if (capacity > most_) return false;
    void* const memory = reserve_pages(capacity * sizeof(mark_entry), page_size, "mark-queue");
    if (memory == nullptr) return false;
    auto* const entries = static_cast<mark_entry*>(memory);
    const std::size_t count = size();
    for (std::size_t i = 0; i != count; ++i) entries[i] = peek(i);
    release();
    entries_ = entries;
    capacity_ = capacity;
    head_ = 0;
    tail_ = count;
    return true;
}

void mark_queue::release() noexcept {
    if (entries_ != reserve_.data()) release_pages(entries_, capacity_ * sizeof(mark_entry));
}

void mark_queue::shrink() noexcept {
    WEFT_ASSERT(empty());
    if (capacity_ <= entries_kept && capacity_ <= most_) return;
    release();
    entries_ = reserve_.data();
    capacity_ = reserve;
    head_ = tail_ = 0;
}

}  // namespace weft::detail
