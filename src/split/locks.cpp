// Counting the locks of the thread library that a coroutine holds, in programs with split stacks.
//
// Who is preempted in a prologue stays on its thread, so another coroutine of the same thread may find it holding a
// std::mutex, and then the thread blocks for good: until a processor is added, 20 ms later. So nobody is preempted
// while it holds one. Programs with split stacks are linked with --wrap for these functions. What locks inside a
// library is not seen here, and needs not be: it runs on a borrowed segment, and is not preempted there.
//
// The count is of the coroutine that calls. A lock that another one gives back leaves it too high, or would take it
// below 0: it saturates, and errs towards not preempting until the coroutine ends.
#include "sched/machine.hpp"

#include <cerrno>
#include <cstdint>

#include <pthread.h>

namespace weft::detail {
namespace {

void count(int result, int by) noexcept {
    if (result != 0 && result != EOWNERDEAD) return;
    coroutine* const self = this_coroutine();
    if (self == nullptr) return;
    if (by > 0 && self->lock_depth != UINT8_MAX) ++self->lock_depth;
    if (by < 0 && self->lock_depth != 0) --self->lock_depth;
}

}  // namespace

// NOLINTBEGIN: the names are the linker's.
#define WEFT_COUNTED(by, name, parameters, arguments)                                              \
    extern "C" int __real_##name parameters;                                                       \
    extern "C" int __wrap_##name parameters;                                                       \
    extern "C" int __wrap_##name parameters {                                                      \
        const int result = __real_##name arguments;                                                \
        count(result, by);                                                                         \
        return result;                                                                             \
    }

WEFT_COUNTED(1, pthread_mutex_lock, (pthread_mutex_t * m), (m))
WEFT_COUNTED(1, pthread_mutex_trylock, (pthread_mutex_t * m), (m))
WEFT_COUNTED(1, pthread_mutex_timedlock, (pthread_mutex_t * m, const timespec* t), (m, t))
WEFT_COUNTED(1, pthread_mutex_clocklock, (pthread_mutex_t * m, clockid_t c, const timespec* t),
             (m, c, t))
WEFT_COUNTED(-1, pthread_mutex_unlock, (pthread_mutex_t * m), (m))
WEFT_COUNTED(1, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))
WEFT_COUNTED(1, pthread_rwlock_tryrdlock, (pthread_rwlock_t * l), (l))
WEFT_COUNTED(1, pthread_rwlock_timedrdlock, (pthread_rwlock_t * l, const timespec* t), (l, t))
WEFT_COUNTED(1, pthread_rwlock_clockrdlock, (pthread_rwlock_t * l, clockid_t c, const timespec* t),
             (l, c, t))
WEFT_COUNTED(1, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l))
WEFT_COUNTED(1, pthread_rwlock_trywrlock, (pthread_rwlock_t * l), (l))
WEFT_COUNTED(1, pthread_rwlock_timedwrlock, (pthread_rwlock_t * l, const timespec* t), (l, t))
WEFT_COUNTED(1, pthread_rwlock_clockwrlock, (pthread_rwlock_t * l, clockid_t c, const timespec* t),
             (l, c, t))
WEFT_COUNTED(-1, pthread_rwlock_unlock, (pthread_rwlock_t * l), (l))
WEFT_COUNTED(1, pthread_spin_lock, (pthread_spinlock_t * l), (l))
WEFT_COUNTED(1, pthread_spin_trylock, (pthread_spinlock_t * l), (l))
WEFT_COUNTED(-1, pthread_spin_unlock, (pthread_spinlock_t * l), (l))

#undef WEFT_COUNTED

// A static's initialiser runs between these.
extern "C" int __real___cxa_guard_acquire(std::uint64_t*);
extern "C" void __real___cxa_guard_release(std::uint64_t*);
extern "C" void __real___cxa_guard_abort(std::uint64_t*);
extern "C" int __wrap___cxa_guard_acquire(std::uint64_t*);
extern "C" void __wrap___cxa_guard_release(std::uint64_t*);
extern "C" void __wrap___cxa_guard_abort(std::uint64_t*);

extern "C" int __wrap___cxa_guard_acquire(std::uint64_t* guard) {
    const int ours = __real___cxa_guard_acquire(guard);
    if (ours != 0) count(0, 1);
    return ours;
}
extern "C" void __wrap___cxa_guard_release(std::uint64_t* guard) {
    __real___cxa_guard_release(guard);
    count(0, -1);
}
extern "C" void __wrap___cxa_guard_abort(std::uint64_t* guard) {
    __real___cxa_guard_abort(guard);
    count(0, -1);
}
// NOLINTEND

}  // namespace weft::detail
