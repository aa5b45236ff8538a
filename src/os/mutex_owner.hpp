// The thread that holds a mutex of the thread library.
#pragma once

#include <cstdint>

namespace weft::detail {

/// The kernel's number of the thread that holds the mutex (std::mutex, pthread_mutex_t) in which `word` is the word that
/// threads wait for (thread_probe::place::futex). 0: nobody does, or there is no mutex, as far as can be seen. The memory may be
/// anything, or gone.
[[nodiscard]] int owner_of_mutex(std::uintptr_t word) noexcept;

}  // namespace weft::detail
