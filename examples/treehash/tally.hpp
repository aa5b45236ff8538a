// What a walk has found, and the digest of it.
//
// Each entry of the tree becomes one record: a digest of its path below the top, its kind, its size and
// its content. The digest of the tree is that of all records in ascending order. So it depends on what
// is in the tree and on nothing else: neither on the order in which directories list their entries, nor
// on who visited them when. Several tallies are joined by throwing their records together.
#pragma once

#include "hash.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace treehash {

/// The letter is what goes into the record.
enum class kind : char {
    file = 'f',
    directory = 'd',
    link = 'l',  // its content is the text of its target
    fifo = 'p',
    socket = 's',
    character_device = 'c',
    block_device = 'b',
    unread = 'u',  // an entry whose content could not be had; a problem says why
};

/// Something that could not be read, or not in full, and is reported by name.
struct problem {
    std::string path;
    std::error_code reason;
};

struct content {
    std::uint64_t size = 0;
    digest hash;
};

class tally {
public:
    void add(std::string_view path, kind what, const content& held = {});
    void add_problem(std::string_view path, std::error_code reason);
    void add(tally&& other);

    /// The digest of the tree, once all its entries are in.
    digest tree_digest();
    /// Ordered by path, so that two walks of one tree report the same lines.
    const std::vector<problem>& sorted_problems();

    std::uint64_t files() const noexcept { return files_; }
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    hasher hasher_;
    std::vector<digest> records_;
    std::vector<problem> problems_;
    std::uint64_t files_ = 0;  // regular files read to their end, and the bytes in them
    std::uint64_t bytes_ = 0;
};

}  // namespace treehash
