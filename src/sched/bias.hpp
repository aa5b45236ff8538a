// Bias: an owner's queues without locked instructions while there is nobody to share them with.
//
// With one processor there are no thieves, and the locked instruction that guards against them, about
// 6 ns, would be half of a switch. So a processor is born *biased*: its owner changes its queues by
// plain stores, between enter() and leave(). Before there is a second processor, which may steal, the bias is revoked;
// after the last of those has gone it is restored.
//
//       owner                                     revoke
//   1   busy = true                           1   revoked = true
//   2   light_fence                           2   heavy_fence
//   3   if (revoked) { busy = false; CAS }    3   wait until !busy
//   4   plain accesses
//   5   busy = false, release                 4   steal, by CAS
//
// Edge *bias*. By the fences, either step 3 of the owner sees `revoked`, or step 3 of revoke sees `busy`
// and waits for the plain accesses to end; release and acquire on `busy` then show their result. A plain
// access never overlaps a thief's, which would be lost under it. (Without `busy` it could: an owner that
// the OS stops between its load of `revoked` and its store would overwrite a later claim.)
//   Tested by   tests/sched/bias_stress.cpp, which must fail when step 3 of either side is left out.
//
// Edge *restore*: restore() stores with release, after the last claim of the last thief; the owner's first load in enter()
// acquires. So its next plain access sees that claim, and overwrites none.
//   Tested by   tests/sched/bias_stress.cpp.
//
// Known from Java's biased locks and from the fast-mutex schemes of Dice et al., who name the asymmetry.
#pragma once

#include "base/backoff.hpp"
#include "os/fence.hpp"

#include <atomic>

namespace weft::detail {

class bias {
public:
    /// A biased one, or one that is shared from the start. Without free fences there is no biased one: then enter() would
    /// cost what it is there to save.
    explicit bias(bool shared) noexcept
        : never_biased_(shared || !prepare_fences()), revoked_(never_biased_) {}
    bias(const bias&) = delete;
    bias& operator=(const bias&) = delete;

    /// Owner only. True: the owner's plain accesses are safe until leave().
    [[nodiscard]] bool enter() noexcept {
        if (revoked_.load(std::memory_order_acquire)) return false;  // restore
        busy_.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);       // A light_fence() that is free.
        if (!revoked_.load(std::memory_order_acquire)) [[likely]]  // restore: also of a later one
            return true;
        leave();  // With release: this store, not that of the last leave(), may be what revoke() reads.
        return false;
    }
    void leave() noexcept { busy_.store(false, std::memory_order_release); }

    /// Any thread. When it returns, no plain access is or will be in progress.
    void revoke() noexcept {
        revoked_.store(true, std::memory_order_relaxed);
        heavy_fence();
        for (backoff wait; busy_.load(std::memory_order_acquire);) wait.pause();
    }

    /// Nobody may steal any more, and what thieves did happens before this call. Nothing comes of it if there never was a
    /// bias.
    void restore() noexcept {
        if (!never_biased_) revoked_.store(false, std::memory_order_release);  // restore
    }

private:
    const bool never_biased_;
    std::atomic<bool> revoked_;
    std::atomic<bool> busy_{false};
};

}  // namespace weft::detail
