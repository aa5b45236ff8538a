// Every coroutine as it was at some moment of the call, with its stack.
//
// The descriptors are walked without stopping anything. A parked coroutine is claimed (sched/claim.hpp), a batch of them
// by one fence; what is wanted of it is copied, and the claim given back before anything is allocated, named or
// written. So a claim lasts a few microseconds, and who is made ready meanwhile is queued by its release.
// Whoever runs is shown without a stack: its registers are in another thread's CPU.
#pragma once

#include "sched/coroutine.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::detail {

/// Deeper ones are cut.
inline constexpr std::size_t frames_max = 100;

enum class co_status : std::uint8_t {
    unstarted,  // Queued, and has never run.
    runnable,   // Queued.
    running,
    blocking,  // In a blocking call that has its thread.
    waiting,
};

/// The holder of the lock that a coroutine waits for.
enum class holder_kind : std::uint8_t {
    none,  // It is no lock, or it is free by now.
    coroutine,
    ended,    // A coroutine that has ended without unlocking it.
    thread,   // A foreign thread, or the thread of a blocking call.
    readers,  // Of a shared_mutex.
};

/// A case of a select.
struct waited_case {
    const void* channel = nullptr;
    bool sends = false;
};

/// A snapshot copies so many cases of a select, the first ones.
inline constexpr std::size_t cases_max = 6;

struct coroutine_record {
    std::uint64_t id = 0;
    call_site created_at;
    const void* object = nullptr;           // What it waits for; null when that has no address.
    const void* scope = nullptr;            // Whose it is; known of those that wait.
    std::uint64_t joined = 0;               // The id of the coroutine it joins, then.
    std::int64_t waited_ns = 0;             // At least so long; 0 when unknown.
    const coroutine* descriptor = nullptr;  // To be compared only: it may have another user by now.
    std::uint64_t holder_is =
        0;  // The agent until the snapshot is complete; then an id, or how many readers.
    std::size_t name_at = 0;
    std::size_t frames_at = 0;
    std::size_t cases_at = 0;
    std::uint32_t case_count = 0;  // Those with a channel, also beyond cases_max.
    std::uint32_t frame_count = 0;
    std::uint8_t name_size = 0;
    co_status status = co_status::runnable;
    wait_kind kind = wait_kind::other;
    holder_kind holder = holder_kind::none;
};

/// A stack that the caller has walked already, of a coroutine that runs.
struct known_stack {
    std::uint64_t id = 0;  // Whose; 0: there is none.
    std::span<const std::uintptr_t> frames;
};

class snapshot {
public:
    /// Takes at most `limit` coroutines. The caller is on a machine, or holds a foreign_visit, or is the monitor.
    /// Throws std::bad_alloc.
    explicit snapshot(const known_stack& known, std::size_t limit = SIZE_MAX);

    /// By id, but that of the known stack first.
    [[nodiscard]] std::span<const coroutine_record> coroutines() const noexcept { return records_; }
    /// The record with this id; null when there is none.
    [[nodiscard]] const coroutine_record* find(std::uint64_t id) const noexcept;
    /// How long it took to look at all of them.
    [[nodiscard]] std::int64_t taken_ns() const noexcept { return taken_ns_; }
    /// How many there were beyond the limit.
    [[nodiscard]] std::uint64_t more() const noexcept { return more_; }

    [[nodiscard]] std::string_view name(const coroutine_record& r) const noexcept {
        return std::string_view(names_).substr(r.name_at, r.name_size);
    }
    [[nodiscard]] std::span<const std::uintptr_t> frames(const coroutine_record& r) const noexcept {
        return std::span(frames_).subspan(r.frames_at, r.frame_count);
    }

    [[nodiscard]] std::span<const waited_case> cases(const coroutine_record& r) const noexcept {
        return std::span(cases_).subspan(r.cases_at,
                                         r.case_count < cases_max ? r.case_count : cases_max);
    }

private:
    struct copy;
    struct batch;

    void look_at(batch& b, coroutine& c, const known_stack& known, bool last_look);
    void claim_and_copy(batch& b);
    void make_room();
    void add(const copy& one) noexcept;
    void sort(std::uint64_t front);
    void name_holders();

    std::vector<coroutine_record> records_;
    std::vector<std::uintptr_t> frames_;
    std::string names_;
    std::vector<waited_case> cases_;
    bool has_front_ = false;  // The first record is out of order.
    bool has_holders_ = false;
    std::int64_t taken_ns_ = 0;
    std::uint64_t more_ = 0;
};

}  // namespace weft::detail
