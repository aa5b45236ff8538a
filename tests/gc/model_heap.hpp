// A collected heap in one thread, for tests of what is built of gc::ptr: the marker takes its steps in between, where
// a real one might come by.
//
// Each store of a pointer while marking calls gc_shade(), and there the marker of the model goes on for a random
// number of objects, from a random grey one. So it meets a structure in all states between two stores, as a marker on
// another thread would. It stops at the end of an operation, when nothing is on the stack: then what is reachable and
// white has been lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace weft::test::model_heap {

/// Forgets all objects, frees them, and starts with this seed.
void reset(std::uint64_t seed);

/// Everything is white but what is allocated from here on; these are grey.
void begin_marking(std::initializer_list<const void*> roots);
[[nodiscard]] bool marking() noexcept;
/// Scans some grey objects. Returns false when there was none.
bool step(std::size_t most) noexcept;
/// Scans what is grey, ends marking and frees what is white, after overwriting it. Returns how many objects were
/// white that can be reached from the roots: lost ones. They are not freed.
std::size_t end_marking();

/// A control: stores are not reported. Structures must get lost then.
void ignore_stores(bool yes) noexcept;

/// How many objects there are, and bytes of them.
[[nodiscard]] std::size_t objects() noexcept;
/// How many objects a trace from these finds.
[[nodiscard]] std::size_t reachable(std::initializer_list<const void*> roots);

/// Runs the destructor of an object, as its trailer says. Returns false if none is due.
bool destroy(const void* object);

/// From a generator of the model's own, below n.
[[nodiscard]] std::size_t random(std::size_t n) noexcept;

/// The next allocation after so many more throws std::bad_alloc; SIZE_MAX: none.
void fail_after(std::size_t allocations) noexcept;

}  // namespace weft::test::model_heap
