// One operation on a descriptor, whatever it is: the seam at which another way to do it would stand (simulated, or by completions).
//
// Contract of perform(): when it returns, or throws, the kernel holds no pointer into the caller's memory. What has happened wins over
// what would have ended the wait.
#pragma once

#include "io/descriptor.hpp"
#include "os/socket.hpp"
#include "sched/sleeper.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

enum class io_kind : std::uint8_t {
    read,       // `data`, `size`
    read_loan,  // The same into memory on loan (io/loan.hpp), which is taken when there is something: then `data` is set.
    write,      // `data`, `size`
    write_parts,  // `parts`, their number in `size`, without the first `skip` bytes
    receive_from,  // One datagram: `data`, `size`, and from whom in `peer`, whether it was longer in `flag`
    send_to,          // The same; `peer` null: the connected one
    receive_packets,  // `packets`, their number in `size`; returns how many
    send_packets,
    accept,    // The result is the new descriptor.
    connect,   // The end of one that goes on.
    readable,  // Nothing but waiting.
    writable,
};

struct io_request {
    io_kind kind;
    io_descriptor* d;
    void* data = nullptr;
    std::size_t size = 0;
    const io_part* parts = nullptr;
    std::size_t skip = 0;
    socket_address* peer = nullptr;
    bool* flag = nullptr;
    io_packet* packets = nullptr;
    /// Earlier than the descriptor's, perhaps; `never`.
    std::int64_t deadline = never;
};

/// What it returns, or the negative number of an error: -EBADF (closed before), -ECANCELED (closed meanwhile), -ETIMEDOUT.
/// Throws `cancelled`, `deadlock`, and std::logic_error on a thread when no runtime is up. A null descriptor is closed.
[[nodiscard]] std::int64_t perform(io_request& r);

/// Any number of bytes; begins again until all are written or there is an error, of which it returns the number. `done` says how much
/// was written, also when this throws. No other call's bytes come in between.
[[nodiscard]] int perform_all(io_request& r, std::size_t& done);

/// What every operation begins with, also those that need not wait: not on threads when no runtime is up, not in a simulation.
void enter_io();

/// Waits until one of several descriptors, whose write sides are the caller's alone, is ready to be written, until `until`, or until one of them is
/// closed. Its number, and its readiness has been taken; -1: the time has passed. -errno - 1 for an error. Throws as perform().
[[nodiscard]] int wait_for_any(io_descriptor* const* which, std::size_t count, std::int64_t until);

/// Sleeps until `until`, or until a number of this process has been closed by us. Throws as perform().
void wait_for_free_number(std::int64_t until);
/// One has.
void tell_of_free_number() noexcept;

}  // namespace weft::detail
