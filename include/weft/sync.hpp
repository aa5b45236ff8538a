// Synchronisation: the names and the meanings of std, for coroutines and foreign threads mixed on one object.
//
// Every object may be built at any time, also as a global and before a runtime is up, and used by threads without one.
// Waiting is a cancellation point, but for the lock() of mutexes and call_once; a call that throws `cancelled` has had
// no effect. What a program can do wrong and these objects can notice is a std::logic_error. Sizes: 16 bytes for
// mutex, timed_mutex, condition_variable, semaphores, latch and wait_group.
#pragma once

#include <weft/exceptions.hpp>
#include <weft/sync/barrier.hpp>
#include <weft/sync/condition_variable.hpp>
#include <weft/sync/latch.hpp>
#include <weft/sync/mutex.hpp>
#include <weft/sync/once.hpp>
#include <weft/sync/semaphore.hpp>
#include <weft/sync/shared_mutex.hpp>
