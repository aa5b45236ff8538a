// A descriptor of the kernel's that coroutines wait for, with all that may end such a wait.
//
//     word    [ calls : 31 | .. | flags of the descriptor | flags of the two sides | guard ]
//
// It has two *sides*, one to read and one to write. One *call* has a side at a time, and the next ones queue behind it. So a side has at
// most one that waits for the kernel: its ticket stands in the side.
//
// Readiness. `ready` of a side is set by the poller (deliver()) and when it may be worth a try; a call *takes* it before it asks the
// kernel, and gives it back if there may be more. With edges as epoll tells them nothing else is right: cleared behind the
// call, an edge that came in between would be lost. What gives it back:
//   - the kernel has done all that was asked
//   - a transfer was short, but this may not mean "no more": on anything but TCP and pipes (a unix socket ends a read where credentials or
//     descriptors begin), or once poll_end was seen (data and the end come with one edge, urgent data divides a read)
//   - the end, and errors: the next call shall see them too
// A call that finds `ready` unset waits at once and saves a system call which would say "nothing there".
//
//       call, finding nothing                       poller
//   1   take the guard                          1   take the guard
//   2   ready? take it and try again            2   ready = 1, or claim the ticket if one is there
//   3   put the ticket there                    3   give the guard back
//   4   give the guard back, park               4   wake whoever was claimed
//
// Invariants
//   - The number `fd` is open, and means the same, as long as `calls` is not 0: close() only marks, and whoever of the calls in progress is
//     last closes. So nobody reads from a stranger's connection that has got the number.
//   - Descriptors are type-stable until no runtime is up and all are home. An event names slot and generation; one that is late finds
//     another generation, and is dropped.
//   - `waits` of a side is set exactly while its ticket is one that nobody has claimed, or one that ended otherwise and whose call is about
//     to take it out. The tickets of threads are claimed under the guard, because a thread's sleeper may go.
//   - A timer that is armed for a descriptor is due no later than the deadline of each side that waits. A deadline that moves later is a
//     store: the timer arms itself again when it fires. One that moves earlier wakes who waits, who arms it.
//
// The guard is the locked instruction that edge *cancel* needs (sched/wait.hpp).
#pragma once

#include <weft/detail/guarded_word.hpp>
#include <weft/detail/wait_list.hpp>

#include "base/config.hpp"
#include "sched/processor.hpp"
#include "sched/work_source.hpp"
#include "sync/waiter.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

enum class io_side_of : std::uint8_t { read, write };

struct alignas(128) io_descriptor : timer_target {
    using value = guarded_word::value;

    // Of a side; those of the other are 4 bits further up.
    static constexpr value busy = 1 << 2;    // A call has it.
    static constexpr value ready = 1 << 3;   // It is worth a try.
    static constexpr value waits = 1 << 4;   // Its ticket waits for the kernel.
    static constexpr value queued = 1 << 5;  // Calls wait for it.
    static constexpr unsigned side_bits = 4;
    static constexpr value of(value flag, io_side_of side) noexcept {
        return side == io_side_of::read ? flag : flag << side_bits;
    }
    // Of both.
    static constexpr value closing = 1 << 10;
    static constexpr value ended = 1 << 11;  // poll_end was seen.
    static constexpr value owned = 1 << 12;  // An object of the program's names it.
    static constexpr value is_shown =
        1 << 13;  // Others may have the file too: closing it does not end the poller's entry.
    static constexpr value is_flow = 1 << 14;  // A short transfer means that there is no more.
    static constexpr value is_file = 1 << 15;  // The kernel has no readiness for it: it always is.
    static constexpr value is_closed = 1 << 16;  // The number has gone.
    static constexpr value call = value{1} << 32;
    static constexpr value calls = value{0x7fffffff} << 32;

    struct side {
        ticket who;  // Under the guard.
        std::atomic<std::int64_t> deadline{never};
        wait_list queue;  // Under the guard.
    };

    io_descriptor() noexcept;

    guarded_word state;
    io_descriptor* link = nullptr;  // Of the pool.
    int fd = -1;
    std::uint32_t generation = 0;  // Changes with every use. Under the guard.
    std::atomic<std::uint32_t> known_to{
        0};  // The runtime whose poller has it; 0: none. Changed under the guard.
    std::uint32_t timer_home = 0;  // The processor among whose timers one is. Under the guard.
    side sides[2];
    std::int64_t armed_for =
        never;  // When a timer fires, if that is of the runtime `known_to`. Under the guard.

    side& at(io_side_of which) noexcept { return sides[static_cast<std::size_t>(which)]; }

    // For the pool: see mem/fixed_pool.hpp.
    std::uint64_t strip() noexcept { return 0; }
    void dress(std::uint64_t) noexcept {}
};
static_assert(sizeof(io_descriptor) == 128);

/// One that queues behind the call that has the side.
struct io_follower : waiter {
    bool has_side = false;
};

/// A descriptor for `fd`, which is not blocking; it is the descriptor's from here on. `flags`: is_flow, is_shown. Null when memory ends.
[[nodiscard]] io_descriptor* take_io_descriptor(int fd, io_descriptor::value flags) noexcept;

/// Ends its calls with ECANCELED, and closes the number behind the last of them. Returns 0, the error of close(2), or -EBADF: it was closed
/// already. Any thread.
int close_io_descriptor(io_descriptor& d) noexcept;
/// Who took the readiness of a side has not used it up: no edge would tell of it again.
void give_back_readiness(io_descriptor& d, io_side_of which) noexcept;
/// The object that named it goes. Closed already, and not to be used again by the caller.
void drop_io_descriptor(io_descriptor& d) noexcept;
/// The number becomes the caller's again. -EBADF: closed already; -EBUSY: there are calls in progress.
[[nodiscard]] int release_io_descriptor(io_descriptor& d) noexcept;
/// From now on others have the number.
void show_io_descriptor(io_descriptor& d) noexcept;

/// `never`: none. Under a call that waits, too.
void set_io_deadline(io_descriptor& d, io_side_of which, std::int64_t when) noexcept;

/// A hold of the descriptor that keeps the number open: for calls that do not wait. Not if it is closing.
class io_hold {
public:
    explicit io_hold(io_descriptor* d) noexcept;
    ~io_hold();
    io_hold(const io_hold&) = delete;
    io_hold& operator=(const io_hold&) = delete;
    [[nodiscard]] explicit operator bool() const noexcept { return d_ != nullptr; }

private:
    io_descriptor* d_;
};

/// A call leaves, having had the side or not.
void leave_io_side(io_descriptor& d, io_side_of which, bool ready) noexcept;
void leave_io_calls(io_descriptor& d) noexcept;

/// For the poller's source. A chain of those who were claimed.
struct io_woken {
    ticket sides[2];
};
/// `what` is ready of the use that `word` names. Returns how many were claimed.
std::size_t note_ready(std::uint64_t word, std::uint32_t what, io_woken& woken) noexcept;
/// How events name a descriptor.
[[nodiscard]] std::uint64_t event_word(const io_descriptor& d) noexcept;
void prefetch_io(std::uint64_t word) noexcept;

/// The runtime has stopped: threads that wait find out, and memory goes back if no descriptor is left.
void end_io_descriptors() noexcept;

}  // namespace weft::detail
