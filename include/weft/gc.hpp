// The collected heap: objects that live as long as something points to them.
//
//     struct tree {
//         weft::gc::ptr<tree> left, right;
//         int key = 0;
//     };
//     auto root = weft::gc::make<tree>();
//     root->left = weft::gc::make<tree>();
//
// The collector runs beside the program and never stops it. It looks for pointers on stacks (plain `T*` count), in
// objects of the heap, in captures of coroutines, in channels and the values on their way, and in roots; not in
// malloc memory. Objects do not move. A pointer that changes in the heap must be a gc::ptr, because its store tells the
// collector.
//
// Making objects needs a coroutine or an attached thread. docs/guide/18-garbage-collection.md is the place to begin.
#pragma once

#include <weft/detail/gc_allocator.hpp>
#include <weft/detail/gc_atomic_ptr.hpp>
#include <weft/detail/gc_cleanup.hpp>
#include <weft/detail/gc_containers.hpp>
#include <weft/detail/gc_fields.hpp>
#include <weft/detail/gc_function.hpp>
#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_pointer_free.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/detail/gc_root.hpp>
#include <weft/detail/gc_weak.hpp>
#include <weft/version.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::detail {
struct gc_attachment;
}  // namespace weft::detail

namespace weft::gc {

/// While it lives, the calling thread, which is none of weft's, may use the collected heap as a coroutine does: make
/// objects and keep pointers on its stack. No effect on a coroutine and when nested. The thread that made it destroys
/// it. Throws std::logic_error when no runtime is up; to stop the runtime while one lives is a std::logic_error
/// there.
class [[nodiscard]] attach {
public:
    [[nodiscard]] attach();
    ~attach();
    attach(const attach&) = delete;
    attach& operator=(const attach&) = delete;

private:
    weft::detail::gc_attachment* mine_ = nullptr;  // Null where it has no effect.
};

/// A whole collection: what is unreachable when it is called is found. Waits, the calling coroutine or thread
/// alone; the others go on. Called by a coroutine it also waits for the destructors and cleanups of what it has
/// found. Not a cancellation point. Throws std::logic_error when no runtime is up, in the child of a fork, and on a
/// thread outside of a simulation.
void collect();

/// A collection is due when the heap has grown by so many percent of what was alive after the last one. Returns the old
/// value. -1 turns collections off, but for collect() and the memory limit.
int set_percent(int percent);

/// The heap with its tables and weft's stacks together should stay below this; 0 for no limit. Returns the old value.
/// Near the limit collections are more frequent, but take no more than half of the CPU; options.on_memory_limit says
/// what happens then.
std::size_t set_memory_limit(std::size_t bytes);

/// collect(), and then gives what is free back to the kernel.
void free_os_memory();

/// How often and for how long the collector has interrupted a coroutine, or an attached thread.
struct pause_statistics {
    static constexpr std::size_t buckets = 40;

    std::uint64_t count = 0;
    std::uint64_t max = 0;    // Nanoseconds.
    std::uint64_t total = 0;  // Nanoseconds.
    /// histogram[i] counts those of 2^i to 2^(i+1) ns; the first also those of 0.
    std::array<std::uint64_t, buckets> histogram{};
};

struct statistics {
    std::uint64_t cycles = 0;  // Collections that have ended.
    pause_statistics pauses;
    std::uint64_t live_bytes = 0;      // Found reachable by the last collection.
    std::uint64_t heap_bytes = 0;      // In use, or not yet found free.
    std::uint64_t mapped_bytes = 0;    // Memory of the heap that the kernel has given.
    std::uint64_t released_bytes = 0;  // Given back to the kernel, added up.
    std::uint64_t goal_bytes = 0;  // The size of the heap at which the next collection is to end.
    double cpu_fraction = 0;       // The collector's part of the CPU time since the start.
    std::uint64_t assist_ns = 0;   // Time that coroutines have worked for the collector.
    std::uint64_t limited_ns = 0;  // Time that the collector was held back near the memory limit.
    std::uint64_t rounds = 0;      // Handshakes with marking, added up over all cycles.
    std::uint64_t destructors_run = 0;
    std::uint64_t destructors_pending =
        0;  // Objects found dead whose destructors have not returned.
};

/// Cheap, from any thread.
[[nodiscard]] statistics stats() noexcept;

}  // namespace weft::gc
