// One who waits on an object: a coroutine or a foreign thread, and what it waits with.
//
// Ownership. A waiter lies on the stack of whoever waits, and is in the object's list from before its wait begins
// until somebody pops it, or until it takes itself out again, under the object's lock in each case. So whoever
// holds the lock may touch what is in the list. Who has popped *and claimed* a waiter may touch it without the lock
// until it has called wake_claimed(): until then its owner sleeps, and cannot return.
#pragma once

#include <weft/detail/wait_list.hpp>

#include "sched/sleeper.hpp"

namespace weft::detail {

struct waiter {
    ticket who;
    waiter* next = nullptr;  // Both null when it is in no list.
    waiter* prev = nullptr;
};

}  // namespace weft::detail
