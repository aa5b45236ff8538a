// The poller of the runtime that is up: opened by the first wait for a descriptor, closed when the runtime stops.
#pragma once

#include "io/descriptor.hpp"
#include "os/poller.hpp"
#include "sched/park.hpp"

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// Opens it, if it is not open yet. Returns 0 or the negative error. The caller has a processor or a foreign_visit.
[[nodiscard]] int ensure_poller() noexcept;

/// Has the poller tell of `d`, if it does not yet. Returns 0 or the negative error; -EPERM: the kernel has no readiness for this kind of file.
/// Likewise.
[[nodiscard]] int watch_io(io_descriptor& d) noexcept;
/// Not any more. Any thread; also when no runtime is up.
void unwatch_io(int fd, std::uint32_t known_to) noexcept;

/// A poller inside of this one, for descriptors that are not ours (io/ready.cpp): the same number may be in both.
struct inner_source {
    std::size_t (*deliver)(bool on_processor) noexcept;
    void (*end)() noexcept;
};
[[nodiscard]] int open_inner(const inner_source& inner, poller& its) noexcept;
[[nodiscard]] bool inner_is_open() noexcept;

/// A descriptor that is ready when the hook has something to do (src/signal). Edges only; there is one. After ensure_poller().
using bell_hook = std::size_t (*)(bool on_processor) noexcept;
[[nodiscard]] int watch_bell(int fd, bell_hook hook) noexcept;

/// Who was claimed goes ahead of the others, if the caller has a processor.
inline void wake_from_poller(const ticket& t, bool on_processor) noexcept {
    if (on_processor) {
        wake_claimed_by_timer(t);
    } else {
        wake_claimed(t);
    }
}

}  // namespace weft::detail
