// What ThreadSanitizer must be told about memory; its fibers are the matter of context/sanitizer.hpp. Nothing in
// other builds.
//
// To the sanitizer a coroutine is a thread of its own, and no switch between two of them an edge. So it does not
// know that what belongs to a processor passes from coroutine to coroutine in order. Where the fields of such a
// thing can't all be relaxed<>, one of these says so.
#pragma once

#include "base/config.hpp"

#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#include <unistd.h>
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);
#endif

namespace weft::detail {

/// From a hand_over() to the take_over() of the same address behind it: an edge.
[[gnu::always_inline]] inline void hand_over([[maybe_unused]] void* what) noexcept {
#if WEFT_TSAN
    __tsan_release(what);
#endif
}
[[gnu::always_inline]] inline void take_over([[maybe_unused]] void* what) noexcept {
#if WEFT_TSAN
    __tsan_acquire(what);
#endif
}

/// After a raw system call that a signal may have ended. The sanitizer keeps a signal until its
/// thread returns from a call that it intercepts, and a thread that only sleeps by raw calls would
/// keep it for ever.
inline void deliver_kept_signals() noexcept {
#if WEFT_TSAN
    ::usleep(0);
#endif
}

/// While one lives the calling thread's plain reads and writes are not recorded, nor its allocations: the making
/// of what others learn of by ways that the sanitizer can't follow.
class [[nodiscard]] unrecorded {
public:
    unrecorded() noexcept {
#if WEFT_TSAN
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
    }
    ~unrecorded() {
#if WEFT_TSAN
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
    }
    unrecorded(const unrecorded&) = delete;
    unrecorded& operator=(const unrecorded&) = delete;
};

}  // namespace weft::detail
