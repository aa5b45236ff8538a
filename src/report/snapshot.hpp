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

struct coroutine_record {
    std::uint64_t id = 0;
    call_site created_at;
    const void* object = nullptr;  // What it waits for; null when that has no address.
    std::uint64_t joined = 0;      // The id of the coroutine it joins, then.
    std::int64_t waited_ns = 0;    // At least so long; 0 when unknown.
    std::size_t name_at = 0;
    std::size_t frames_at = 0;
    std::uint32_t frame_count = 0;
    std::uint8_t name_size = 0;
    co_status status = co_status::runnable;
    wait_kind kind = wait_kind::other;
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
    /// How many there were beyond the limit.
    [[nodiscard]] std::uint64_t more() const noexcept { return more_; }

    [[nodiscard]] std::string_view name(const coroutine_record& r) const noexcept {
        return std::string_view(names_).substr(r.name_at, r.name_size);
    }
    [[nodiscard]] std::span<const std::uintptr_t> frames(const coroutine_record& r) const noexcept {
        return std::span(frames_).subspan(r.frames_at, r.frame_count);
    }

private:
    struct copy;
    struct batch;

    void look_at(batch& b, coroutine& c, const known_stack& known, bool last_look);
    void claim_and_copy(batch& b);
    void make_room();
    void add(const copy& one) noexcept;

    std::vector<coroutine_record> records_;
    std::vector<std::uintptr_t> frames_;
    std::string names_;
    std::uint64_t more_ = 0;
};

}  // namespace weft::detail
