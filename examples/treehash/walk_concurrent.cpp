// The walk with coroutines: one that knows what is to be done, and a crew that does it.
//
// A dispatcher hands out jobs over one channel and takes back what came of them over another. A coroutine of
// the crew does its job in one `blocking` call. Nothing is shared but the channels: the dispatcher owns
// the list of the work that waits, each of the crew owns a visitor.
//
//                        jobs      +-->  coroutine with a visitor  --+
//     dispatcher  -----------------+-->  coroutine with a visitor  --+-- subdirectories, and entries
//       waiting:                   +-->  coroutine with a visitor  --+   that are left
//       batches: entries of open directories                         |
//       directories to be entered                                    |
//          ^                        returned                         |
//          +---------------------------------------------------------+
//
// Bounded: both channels are without a buffer, and not more jobs are out than the crew may have members.
// The dispatcher sends a job only when a member is free, and else receives, so neither waits for the
// other for ever. The jobs are closed when none is out and none waits, and with them ends the crew.
//
// Cancelled: all of them are children of one scope, and channel operations are cancellation points. When
// one fails, or the caller is asked to stop, they end where they wait or after the job at hand; what is open
// closes as the channels, the list and the jobs go.
//
// Invariant: not more directories are open than the crew may have members.
//   Kept by   pop(backlog), which gives a directory to enter only when no batch waits. All batches
//             are then with members, who hold one directory each at most, until what came of the job is
//             returned; and no other way to open one exists, since a turn goes on to the next directory
//             only when it left no batch of the last.
//   Relied on for the limit: a visitor has one file open at a time, besides.
//   Checked by the test that counts the open descriptors of a running walk.
//
// Why not a coroutine for each entry, which weft could well afford: what costs here is the file system.
// A turn over many small files makes one hand-over to a blocking thread out of dozens, and the size of
// the crew is the limit on open files. The list is last in, first out, which keeps it short, and names
// are kept only for directories that are open.
#include "walk.hpp"

#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/scope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace treehash {

namespace {

// A turn is long beside a hand-over, which takes microseconds, and short beside a blink.
constexpr std::size_t turn_entries = 64;
constexpr std::uint64_t turn_bytes = 1 << 20;

// A larger file is a job of its own, so that its neighbours do not wait for it.
constexpr std::uint64_t small_file = turn_bytes;

/// Entries to be visited, of a directory that is open.
struct batch {
    std::shared_ptr<const directory> parent;
    std::vector<listed> entries;
};

/// A batch, or the path of a directory to be entered.
using job = std::variant<batch, std::string>;

struct backlog {
    std::vector<batch> batches;
    std::vector<std::string> directories;

    bool empty() const noexcept { return batches.empty() && directories.empty(); }
};

template <class T>
void move_append(std::vector<T>& to, std::vector<T>&& from) {
    std::ranges::move(from, std::back_inserter(to));
}

template <class T>
T pop(std::vector<T>& from) {
    T last = std::move(from.back());
    from.pop_back();
    return last;
}

job pop(backlog& from) {
    if (!from.batches.empty()) return pop(from.batches);
    return pop(from.directories);
}

/// What a coroutine does in one `blocking` call. Everything here may block, and nothing knows weft.
class turn {
public:
    turn(int top, visitor& hand) noexcept : top_(top), hand_(hand) {}

    /// Does `first` and what fits in beside it; returns what is left, and what came of it.
    backlog run(job first) {
        if (batch* const entries = std::get_if<batch>(&first)) {
            const bool alone = entries->entries.size() == 1;
            visit(std::move(*entries), alone ? visitor::any_size : small_file);
        } else {
            enter(std::get<std::string>(first));
        }
        while (left_.batches.empty() && !left_.directories.empty() && !over())
            enter(pop(left_.directories));
        return std::move(left_);
    }

private:
    bool over() const noexcept {
        return entries_ >= turn_entries || hand_.bytes_read() - bytes_before_ >= turn_bytes;
    }

    void enter(const std::string& path) {
        const auto here = std::make_shared<directory>();
        std::vector<listed> entries = hand_.enter(top_, path, *here);
        ++entries_;
        for (const listed& entry : entries)
            if (entry.what == kind::directory)
                left_.directories.push_back(here->path_of(entry.name));

        for (std::size_t done = 0; done < entries.size(); done += turn_entries) {
            const auto first = entries.begin() + static_cast<std::ptrdiff_t>(done);
            const auto count = std::min(turn_entries, entries.size() - done);
            const auto last = first + static_cast<std::ptrdiff_t>(count);
            visit({here, {std::move_iterator(first), std::move_iterator(last)}}, small_file);
        }
    }

    // Visits the entries for as long as the turn lasts, and leaves the others, and too large ones.
    void visit(batch all, std::uint64_t size_max) {
        auto entry = all.entries.begin();
        for (; entry != all.entries.end() && !over(); ++entry, ++entries_)
            if (!hand_.visit(*all.parent, *entry, size_max))
                left_.batches.push_back({all.parent, {std::move(*entry)}});
        all.entries.erase(all.entries.begin(), entry);
        if (!all.entries.empty()) left_.batches.push_back(std::move(all));
    }

    const int top_;
    visitor& hand_;
    const std::uint64_t bytes_before_ = hand_.bytes_read();
    std::size_t entries_ = 0;
    backlog left_;
};

class crew {
public:
    crew(int top, unsigned size_max, progress& shown)
        : top_(top), size_max_(size_max), shown_(shown) {}

    /// Walks the tree; an exception of one of the crew comes out here. Once.
    tally walk() {
        scope_.go([this] { dispatch(); });
        scope_.join();
        tally all;
        for (const std::unique_ptr<visitor>& hand : hands_) all.add(std::move(*hand).take());
        return all;
    }

private:
    // A child of the scope like the others, so that it does not wait for one that has failed.
    void dispatch() {
        backlog waiting{.batches = {}, .directories = {""}};
        for (std::size_t out = 0; out != 0 || !waiting.empty();) {
            if (!waiting.empty() && out != size_max_) {
                if (out == hands_.size()) hire();
                jobs_.send(pop(waiting));
                ++out;
            } else {
                backlog more = *returned_.recv();
                --out;
                move_append(waiting.batches, std::move(more.batches));
                move_append(waiting.directories, std::move(more.directories));
            }
        }
        jobs_.close();
    }

    void hire() {
        visitor& hand = *hands_.emplace_back(std::make_unique<visitor>(shown_));
        scope_.go([this, &hand] {
            for (job& next : jobs_)
                returned_.send(
                    weft::blocking([&] { return turn(top_, hand).run(std::move(next)); }));
        });
    }

    const int top_;
    const std::size_t size_max_;
    progress& shown_;
    weft::chan<job> jobs_;
    weft::chan<backlog> returned_;
    std::vector<std::unique_ptr<visitor>> hands_;  // The dispatcher's until it has ended.
    weft::scope scope_;  // Last, so that on an exception its children end before what they use.
};

}  // namespace

tally walk_concurrent(int top, unsigned open_max, progress& shown) {
    return crew(top, std::max(1U, open_max / 2), shown).walk();
}

}  // namespace treehash
