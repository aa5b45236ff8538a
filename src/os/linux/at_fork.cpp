#include "os/at_fork.hpp"

#include <pthread.h>

namespace weft::detail {

bool at_fork(void (*before)() noexcept, void (*in_parent)() noexcept,
             void (*in_child)() noexcept) noexcept {
    return ::pthread_atfork(before, in_parent, in_child) == 0;
}

}  // namespace weft::detail
