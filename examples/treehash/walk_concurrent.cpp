// The walk with coroutines: a crew of them, and a list of the work that waits.
//
// A coroutine of the crew does its job in one `blocking` call, puts what came of it on the list, and
// takes the next job from there; when there is none it ends. What it cannot do itself it gives to new
// coroutines, as long as the crew is not complete. So nobody ever waits, neither for work nor for a
// place in the crew: a walk cannot deadlock, and it is done when all coroutines of the scope have ended.
//
//       waiting                          crew
//     batches: entries of open    --->   coroutine with a visitor  --+
//              directories        --->   coroutine with a visitor  --+-- what came of it: subdirectories,
//     directories to be entered          idle visitors               |   and entries that are left
//              ^                                                     |
//              +-----------------------------------------------------+
//
// Invariant: not more directories are open than there are visitors.
//   Kept by   take_locked(), which hands out a directory to enter only when no batch waits. All batches
//             are then in jobs, which hold at most one directory each; and no other way to open one
//             exists, since a turn goes on to the next directory only when it left no batch of the last.
//   Relied on for the limit: a visitor has one file open at a time, besides.
//   Checked by the test that counts the open descriptors of a running walk.
// Invariant: visitors are idle only when no work waits.
//   Kept by   exchange(), the one place where either list grows.
//   Relied on for termination: work on the list is seen by whoever is at work now.
//
// Why not a coroutine for each entry, which weft could well afford: what costs here is the file system.
// A turn over many small files makes one hand-over to a blocking thread out of dozens, and the size of
// the crew is the limit on open files. The list is last in, first out, which keeps it short, and names
// are kept only for directories that are open.
#include "walk.hpp"

#include <weft/go.hpp>
#include <weft/scope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
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
    crew(int top, unsigned size, progress& shown) : top_(top) {
        for (unsigned i = 0; i != size; ++i) idle_.push_back(std::make_unique<visitor>(shown));
    }

    /// Walks the tree; an exception of one of the crew comes out here. Once.
    tally walk() {
        start(pop(idle_), std::string());
        scope_.join();
        tally all;
        for (std::unique_ptr<visitor>& hand : idle_) all.add(std::move(*hand).take());
        return all;
    }

private:
    void start(std::unique_ptr<visitor> hand, job first) {
        scope_.go([this, hand = std::move(hand), first = std::move(first)]() mutable {
            work(std::move(hand), std::move(first));
        });
    }

    void work(std::unique_ptr<visitor> hand, std::optional<job> next) {
        while (next) {
            backlog more = weft::blocking([&] { return turn(top_, *hand).run(std::move(*next)); });
            next = exchange(hand, std::move(more));
            weft::checkpoint();  // Ends this coroutine when another one has failed.
        }
    }

    // Puts `more` on the list and takes the next job for `hand`, which goes idle when there is none.
    // The mutex is held for a few moves, never across anything that waits.
    std::optional<job> exchange(std::unique_ptr<visitor>& hand, backlog more) {
        std::optional<job> next;
        std::vector<std::pair<std::unique_ptr<visitor>, job>> others;
        {
            const std::lock_guard guard(lock_);
            move_append(waiting_.batches, std::move(more.batches));
            move_append(waiting_.directories, std::move(more.directories));
            next = take_locked();
            if (!next) idle_.push_back(std::move(hand));
            while (next && !idle_.empty()) {
                std::optional<job> other = take_locked();
                if (!other) break;
                others.emplace_back(pop(idle_), std::move(*other));
            }
        }
        for (auto& [other_hand, first] : others) start(std::move(other_hand), std::move(first));
        return next;
    }

    std::optional<job> take_locked() {
        if (!waiting_.batches.empty()) return pop(waiting_.batches);
        if (!waiting_.directories.empty()) return pop(waiting_.directories);
        return std::nullopt;
    }

    const int top_;
    std::mutex lock_;
    backlog waiting_;                             // lock_
    std::vector<std::unique_ptr<visitor>> idle_;  // lock_
    weft::scope scope_;  // Last, so that on an exception its children end before what they use.
};

}  // namespace

tally walk_concurrent(int top, unsigned open_max, progress& shown) {
    return crew(top, std::max(1U, open_max / 2), shown).walk();
}

}  // namespace treehash
