// Words on their way to the collector: pointers that were stored, coroutines that have left their stacks.
//
// Who runs coroutines fills a chunk of his own and pushes it, when it is full or when he answers the collector, onto a list that
// the collector takes as a whole. Nobody waits: the list has many who push and one who takes all, so a compare-and-swap is
// enough, and a pop of one, which could meet an old head (ABA), does not exist. Free chunks work alike: who needs one
// takes all of them, keeps one, and puts the others back; who comes in between gets new ones.
//
// All of this runs in signal handlers too, so it allocates by mmap only and takes no lock.
#pragma once

#include "base/relaxed.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

struct word_chunk {
    static constexpr std::size_t size = 4096;
    static constexpr std::size_t capacity = (size - 16) / sizeof(std::uintptr_t);

    relaxed<word_chunk*> next{nullptr};
    relaxed<std::uint32_t> count{0};
    std::array<relaxed<std::uintptr_t>, capacity> words;
};
static_assert(sizeof(word_chunk) == word_chunk::size);

class chunk_list {
public:
    /// Puts a chain of chunks in front. release: the words come with it.
    void push(word_chunk* first, word_chunk* last) noexcept {
        word_chunk* head = head_.load(std::memory_order_relaxed);
        do {
            last->next = head;
        } while (!head_.compare_exchange_weak(head, first, std::memory_order_release,
                                              std::memory_order_relaxed));
    }
    void push(word_chunk& one) noexcept { push(&one, &one); }
    /// Null when there is none.
    [[nodiscard]] word_chunk* take_all() noexcept {
        if (head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
        return head_.exchange(nullptr, std::memory_order_acquire);
    }

private:
    std::atomic<word_chunk*> head_{nullptr};
};

/// An empty chunk. Ends the process, with a line that says so, when the kernel gives no more memory: what was to be noted would
/// be lost, and an object that is in use freed.
[[nodiscard]] word_chunk& take_chunk() noexcept;
/// Takes back a chain.
void give_chunks(word_chunk* first) noexcept;
/// Gives all memory of chunks back. None is in use.
void release_chunks() noexcept;
[[nodiscard]] std::size_t chunk_bytes() noexcept;

/// What one thread at a time fills.
class word_buffer {
public:
    /// Adds a word; a chunk that is full then goes to `list`.
    void push(std::uintptr_t word, chunk_list& list) noexcept {
        word_chunk* chunk = chunk_;
        if (chunk == nullptr) chunk_ = chunk = &take_chunk();
        const std::uint32_t n = chunk->count;
        chunk->words[n] = word;
        chunk->count = n + 1;
        if (n + 1 == word_chunk::capacity) flush(list);
    }
    void flush(chunk_list& list) noexcept {
        word_chunk* const chunk = chunk_;
        if (chunk == nullptr || chunk->count == 0) return;
        list.push(*chunk);
        chunk_ = nullptr;
    }

private:
    relaxed<word_chunk*> chunk_{nullptr};
};

}  // namespace weft::detail
