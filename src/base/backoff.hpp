// Waiting for something that another thread is about to do.
#pragma once

namespace weft::detail {

/// Spins a little, doubling, and then gives the CPU to whoever may be holding things up: with fewer
/// CPUs than threads the holder may not be running at all.
class backoff {
public:
    void pause() noexcept {
        if (rounds_ < spin_rounds) {
            spin(1u << rounds_++);
        } else {
            yield_thread();
        }
    }

private:
    static constexpr unsigned spin_rounds = 7;
    static void spin(unsigned count) noexcept;
    static void yield_thread() noexcept;

    unsigned rounds_ = 0;
};

}  // namespace weft::detail
