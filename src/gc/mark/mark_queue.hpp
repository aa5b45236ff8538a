// The marker's queue: first in, first out, on pages of its own. For one thread.
#pragma once

#include "gc/heap/arena.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// A span with grey objects, or a part of a large object.
struct mark_entry {
    page_number page;
    std::uint32_t item;  // The slot that was grey first; of a large object, which part.
};

class mark_queue {
public:
    mark_queue() noexcept = default;
    ~mark_queue();
    mark_queue(const mark_queue&) = delete;
    mark_queue& operator=(const mark_queue&) = delete;

    [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
    [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }

    /// Returns false, and nothing has changed, if the queue is full and cannot grow. One that
    /// something was just popped from has room.
    [[nodiscard]] bool push(mark_entry entry) noexcept {
        if (tail_ - head_ == capacity_) [[unlikely]] {
            if (!grow()) return false;
        }
        entries_[tail_++ & (capacity_ - 1)] = entry;
        return true;
    }
    mark_entry pop() noexcept { return entries_[head_++ & (capacity_ - 1)]; }
    /// The one that `n` calls of pop() come before; n < size().
    [[nodiscard]] mark_entry peek(std::size_t n) const noexcept {
        return entries_[(head_ + n) & (capacity_ - 1)];
    }

    /// It is empty: gives memory back beyond what a small heap needs.
    void shrink() noexcept;
    void limit(std::size_t entries) noexcept { most_ = entries; }

private:
    bool grow() noexcept;
    void release() noexcept;

    // So that there is always a queue, also when memory has ended.
    static constexpr std::size_t reserve = 32;
    std::array<mark_entry, reserve> reserve_{};

    mark_entry* entries_ = reserve_.data();
    std::size_t capacity_ = reserve;  // A power of two.
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    std::size_t most_ = SIZE_MAX;
};

}  // namespace weft::detail
