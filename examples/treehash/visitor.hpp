// Looking at entries one by one: the plain, blocking half of a walk, the same with and without coroutines.
//
// Trees change while they are walked. What a name stands for is settled by the descriptor we get, never
// by what the directory listed: a file that has become a link is not followed (O_NOFOLLOW), one that has
// become a fifo is not waited for (O_NONBLOCK), and of a file that is being written we hash what we read.
// Whatever cannot be read stays in the digest, by its path and as `unread`, and is among the problems.
#pragma once

#include "directory.hpp"
#include "tally.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace treehash {

/// How far the walk is, for those who watch. Relaxed counters: nothing is decided by them.
struct progress {
    std::atomic<std::uint64_t> files{0};
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> problems{0};
};

/// One at a time may use a visitor; it holds the buffer to read with, and what was found so far.
class visitor {
public:
    static constexpr std::uint64_t any_size = std::numeric_limits<std::uint64_t>::max();

    explicit visitor(progress& shown) : shown_(shown) {}

    /// Opens and lists a directory; what goes wrong is noted, and the entries had before it returned.
    std::vector<listed> enter(int top, const std::string& path, directory& opened);

    /// Looks at one entry. False, with nothing done, when it is a file of more than `size_max` bytes.
    bool visit(const directory& parent, const listed& entry, std::uint64_t size_max = any_size);

    std::uint64_t bytes_read() const noexcept { return bytes_read_; }
    tally take() && { return std::move(found_); }

private:
    bool visit_file(const directory& parent, const listed& entry, std::uint64_t size_max);
    void visit_link(const directory& parent, const listed& entry);
    std::error_code read_all(int fd, content& held);
    void note(const std::string& path, std::error_code reason);
    void note_unread(const std::string& path, std::error_code reason);

    progress& shown_;
    hasher hasher_;
    std::vector<std::byte> buffer_;
    std::uint64_t bytes_read_ = 0;
    tally found_;
};

}  // namespace treehash
