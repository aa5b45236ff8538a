// The marker: finds what is reachable from the words it is given. For one thread.
//
// An object is *grey* once its S bit is set and until its words have been read: B. The marker keeps
// a FIFO of spans with grey objects, not of objects. A span that is popped late has had time to
// collect more of them, their bits lie in one or two lines, and a second pointer to the same object
// dies there. Depth first with the same prefetching took 1.6 times as long as soon as there was
// more than one pointer to an object.
//
//     queue of spans -> ring of 16 objects -> words into the arena -> batch of 64 -> S, queue of spans
//                          (prefetched)                            (bits prefetched)
//
// Nearly all time is spent waiting for memory, so much of it is asked for ahead: an object is
// scanned 16 objects after it was asked for. Words that lead into the arena are gathered; when
// there are enough, one loop finds where their bits lie and asks for those, and a second one looks
// at them. Both go on from span to span; starting anew for each cost twice the time.
//
// Invariants
//   - While marking, the marker alone writes S. Allocation writes N. The marker does not scan an
//     object with N, because that was allocated black, and each store into it is shaded.
//   - The marker takes a slot that is not in use (A) for no object: it neither keeps nor reads what a
//     stale word points to. No object is lost by this. Allocation sets A before anybody can know the
//     slot's address. If the marker has the address and still reads the old A, then the slot's heap
//     has yet to answer the second handshake, or its answer is what the marker sees next: the address
//     is on a stack that is scanned with that answer, or it was shaded when it was stored.
//   - A span with grey objects has its byte in `queued` set. Its entry is in the queue, unless the
//     queue was full and could not grow: then drain() goes through the bytes when the queue is empty.
//     So the queue is a hint, and S without B is the truth.
//
// The marker reads words while mutators write them: each as a whole, relaxed. It sees the old value
// or the new one, and if it sees the old one, the storing mutator has shaded the new one. Objects
// may be under construction, or just zeroed.
#pragma once

#include "arch/pick_words.hpp"
#include "gc/heap/object.hpp"
#include "gc/mark/mark_queue.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

class marker {
public:
    marker() noexcept = default;
    marker(const marker&) = delete;
    marker& operator=(const marker&) = delete;

    /// Before each collection: counters are 0, and memory that the last one needed for its queue
    /// goes back.
    void begin() noexcept;

    /// Marks what the word points to or into, if it is an object. Returns true if that is new.
    bool grey(std::uintptr_t word) noexcept;

    /// grey() for each aligned word in [low, high). The words may be written meanwhile, and may be
    /// poisoned for sanitizers. Returns how many objects are new.
    std::size_t grey_range(const void* low, const void* high) noexcept;

    /// Scans what is grey, and what becomes so, for about `budget_bytes`. Returns false when
    /// nothing is grey any more.
    bool drain(std::size_t budget_bytes) noexcept;

    /// Counts since begin(): objects marked, bytes of their slots, words read. Any thread.
    [[nodiscard]] std::uint64_t objects() const noexcept { return objects_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t words() const noexcept { return words_; }

    /// For tests and benchmarks: filters words by this.
    void use_picker(word_picker picker) noexcept { pick_ = picker; }
    /// For tests: the queue grows to at most so many entries.
    void limit_queue(std::size_t entries) noexcept { queue_.limit(entries); }
    /// How often drain() has had to look for grey objects in the page table.
    [[nodiscard]] std::uint64_t recoveries() const noexcept { return recoveries_; }

private:
    static constexpr unsigned ring = 16;
    static constexpr std::size_t batch = 64;

    struct candidate {
        slot_words* words;
        std::uint64_t bit;
        page_number page;
        page_entry entry;
        std::uint16_t slot;
    };
    struct piece {
        const std::uintptr_t* from;
        std::size_t words;
    };

    bool find(std::uintptr_t word, candidate& found) const noexcept;
    bool mark(const candidate& c) noexcept;
    void settle() noexcept;
    void enqueue(page_number page, std::uint32_t item) noexcept;
    void pick(const std::uintptr_t* from, std::size_t count) noexcept;
    void scan(piece p) noexcept;
    void feed(piece p) noexcept;
    void pop() noexcept;
    void feed_span(page_number page, const layout_info& info) noexcept;
    void recover() noexcept;

    mark_queue queue_;
    std::array<std::uintptr_t, batch + pick_max + 8> picked_{};  // Words that lead into the arena.
    std::size_t picked_count_ = 0;
    std::array<piece, ring> pieces_{};
    unsigned first_piece_ = 0;
    unsigned piece_count_ = 0;
    word_picker pick_ = nullptr;
    std::uintptr_t base_ = 0;  // The arena's.
    std::size_t size_ = 0;
    bool dropped_ = false;  // An entry did not fit into the queue.
    relaxed<std::uint64_t> objects_{0};
    relaxed<std::uint64_t> bytes_{0};
    relaxed<std::uint64_t> words_{0};
    std::uint64_t recoveries_ = 0;
};

}  // namespace weft::detail
