#include "gc/word_chunk.hpp"

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "base/print.hpp"
#include "base/tsan.hpp"
#include "os/memory.hpp"

#include <new>

namespace weft::detail {
namespace {

constexpr std::size_t block_size = std::size_t{64} * 1024;

// The first of the free ones knows the last, so that who takes all can put back all but one without a walk.
class free_list {
public:
    void push(word_chunk* first, word_chunk* last) noexcept {
        word_chunk* head = head_.load(std::memory_order_acquire);
        do {
            last->next = head;
            // Reads what may be taken and used at this moment; then the exchange fails, and it is read again.
            first->words[0] =
                head == nullptr ? reinterpret_cast<std::uintptr_t>(last) : head->words[0].get();
        } while (!head_.compare_exchange_weak(head, first, std::memory_order_release,
                                              std::memory_order_acquire));
    }
    // The rest goes back at once. Null when there is none.
    [[nodiscard]] word_chunk* take() noexcept {
        word_chunk* const one = head_.exchange(nullptr, std::memory_order_acquire);
        if (one != nullptr && one->next != nullptr) {
            push(one->next, reinterpret_cast<word_chunk*>(one->words[0].get()));
        }
        return one;
    }
    void forget() noexcept { head_.store(nullptr, std::memory_order_relaxed); }

private:
    std::atomic<word_chunk*> head_{nullptr};
};
free_list free_chunks;

// The blocks that chunks are cut from; the first chunk of each is the link of this list.
std::atomic<word_chunk*> blocks{nullptr};
std::atomic<std::size_t> block_count{0};

word_chunk& take_from_new_block() noexcept {
    void* const block = reserve_pages(block_size, page_size, "gc-words");
    if (block == nullptr) {
        printer out;
        out << "weft: the garbage collector can't get memory for its lists\n";
        out.flush();
        abort_told();
    }
    const unrecorded
        unseen;  // Who uses a chunk next runs on the same thread, or has it from a list.
    auto* const bytes = static_cast<std::byte*>(block);
    const auto chunk_at = [bytes](std::size_t i) {
        return ::new (bytes + i * word_chunk::size) word_chunk;
    };
    word_chunk* const link = chunk_at(0);
    word_chunk* head = blocks.load(std::memory_order_relaxed);
    do {
        link->next = head;
    } while (!blocks.compare_exchange_weak(head, link, std::memory_order_relaxed));
    block_count.fetch_add(1, std::memory_order_relaxed);
    word_chunk* const mine = chunk_at(1);
    word_chunk* const first = chunk_at(2);
    word_chunk* last = first;
    for (std::size_t i = 3; i != block_size / word_chunk::size; ++i) {
        last->next = chunk_at(i);
        last = last->next;
    }
    free_chunks.push(first, last);
    return *mine;
}

}  // namespace

word_chunk& take_chunk() noexcept {
    word_chunk* const mine = free_chunks.take();
    if (mine == nullptr) return take_from_new_block();
    mine->next = nullptr;
    mine->count = 0;
    return *mine;
}

void give_chunks(word_chunk* first) noexcept {
    if (first == nullptr) return;
    word_chunk* last = first;
    while (last->next != nullptr) last = last->next;
    free_chunks.push(first, last);
}

void release_chunks() noexcept {
    free_chunks.forget();
    for (word_chunk* block = blocks.exchange(nullptr, std::memory_order_relaxed);
         block != nullptr;) {
        word_chunk* const next = block->next;
        release_pages(block, block_size);
        block = next;
    }
    block_count.store(0, std::memory_order_relaxed);
}

std::size_t chunk_bytes() noexcept {
    return block_count.load(std::memory_order_relaxed) * block_size;
}

}  // namespace weft::detail
