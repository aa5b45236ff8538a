// Starting, stopping and looking at the runtime.
#pragma once

#include <weft/detail/call_site.hpp>
#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/exceptions.hpp>
#include <weft/go.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft {

/// What happens when more memory is in use than options.memory_limit, and a collection has found none of it free.
enum class memory_limit_action {
    exceed,           // The program goes on; a line on stderr says so, once a minute.
    throw_bad_alloc,  // Whoever makes an object gets std::bad_alloc, until a collection finds less in use.
    report_and_exit,  // A line on stderr, and the process ends with status 1.
};

/// What run() does when nothing can ever run again.
enum class deadlock_action : unsigned char {
    report_and_exit,  // The report on stderr, then the process ends with status 2.
    throw_in_main,    // weft::deadlock is thrown where main waits.
    ignore,           // Nothing: the process waits for ever.
};

struct options {
    /// Number of processors: how many coroutines run at the same time. 0: the environment's WEFT_PROCS,
    /// else the CPUs of the affinity mask, or the cgroup's CPU limit rounded up when that is smaller.
    unsigned processors = 0;

    /// How long a coroutine may run before it is asked to yield.
    std::chrono::nanoseconds preempt_after = std::chrono::milliseconds(10);

    /// Up to so much later than their time timers may fire, so that several share one wake-up of a thread. At most 1 s; 0:
    /// each has its own. As long as fewer than 64 timers are pending, nothing up to the default delays any. The
    /// environment's WEFT_TIMER_SLACK overrides this.
    std::chrono::nanoseconds timer_slack = std::chrono::microseconds(50);

    /// Bytes of a reserved stack, guard included; rounded up to a power of two, 16 KiB at least. Main
    /// gets 8 MiB, or this when it is more.
    std::size_t stack_size = std::size_t{256} * 1024;

    /// A collection is due when the collected heap (weft/gc.hpp) has grown by so many percent of what lived after the last
    /// one. -1: only gc::collect() and the memory limit cause one. The environment's WEFT_GC_PERCENT overrides this.
    int gc_percent = 100;

    /// Bytes that the collected heap with its tables and the stacks of coroutines should stay below; 0: no limit. Near it
    /// collections are more frequent, but take no more than half of the time. The environment's WEFT_MEMORY_LIMIT overrides this.
    std::size_t memory_limit = 0;
    /// What happens when more than that is alive.
    memory_limit_action on_memory_limit = memory_limit_action::exceed;

    /// Deeper recursion than this ends with a stack-overflow report; caps `stack_size`.
    std::size_t max_stack = std::size_t{1} << 30;

    deadlock_action on_deadlock = deadlock_action::report_and_exit;

    /// How long stopping waits for cancelled coroutines before it reports them.
    std::chrono::nanoseconds shutdown_grace = std::chrono::seconds(5);

    /// Threads inside blocking() at the same time; further callers wait their turn, first come first
    /// served.
    unsigned max_blocking = 1024;

    /// Processors added for threads that stopped responding, 4,096 at most. When they are used up, and nothing has moved for
    /// a second, a line on stderr says so.
    unsigned max_compensation = 1024;

    /// Bind each thread to the CPU of its processor.
    bool pin = false;
};

/// A snapshot. Counters only grow while a runtime is up, and start at 0 with each.
struct runtime_stats {
    std::uint64_t coroutines = 0;     // Alive now, the runtime's own excluded.
    std::uint64_t runnable = 0;       // Waiting in a run queue now; approximate.
    std::uint64_t threads = 0;        // The runtime's OS threads now.
    std::uint64_t processors = 0;     // Processors now.
    std::uint64_t spawned = 0;        // Coroutines ever spawned.
    std::uint64_t switches = 0;       // Coroutines switched to.
    std::uint64_t steals = 0;         // Coroutines taken from another processor.
    std::uint64_t parks = 0;          // Times a coroutine waited for something.
    std::uint64_t preemptions = 0;    // Times one yielded because it was asked to.
    std::uint64_t cut_ins = 0;        // Times one made room for what a timer had woken.
    std::uint64_t compensations = 0;  // Processors ever added for stuck threads.
    std::uint64_t unstuck = 0;   // Coroutines that went on elsewhere for their thread was stuck.
    std::uint64_t stalls = 0;    // Coroutines reported under WEFT_DEBUG=stall.
    std::uint64_t handoffs = 0;  // Processors handed on because their thread blocked.
    std::uint64_t retakes = 0;   // Of these, taken back from a blocking call that took long.
    std::uint64_t trimmed_bytes =
        0;  // Address space of stacks whose pages were given back, added up.
    std::uint64_t stack_bytes = 0;  // Address space of the stacks in use now.
    std::uint64_t timers = 0;       // Timers pending now; cancelled ones count until dropped.
};

/// Cheap, from any thread. All zero while no runtime is up.
[[nodiscard]] runtime_stats stats() noexcept;

/// The current number of processors; 0 while no runtime is up.
[[nodiscard]] unsigned processors() noexcept;

}  // namespace weft

namespace weft::detail {

int run_main(const options&, int (*main)(void*), void* argument, const call_site& where);
void start_runtime(const options&);
void stop_runtime() noexcept;

/// What a submitted closure runs as: everything that leaves it goes to the future.
template <class F, class R>
struct submission {
    F call;
    std::promise<R> promise;

    void operator()() {
        try {
            if constexpr (std::is_void_v<R>) {
                std::invoke(std::move(call));
                promise.set_value();
            } else {
                promise.set_value(std::invoke(std::move(call)));
            }
        } catch (const cancelled&) {
            promise.set_exception(std::make_exception_ptr(coroutine_cancelled()));
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    }
};

}  // namespace weft::detail

namespace weft {
inline namespace WEFT_STACK_KIND {

/// Starts the runtime, runs `main` as its first coroutine and returns its value; 0 when main returns
/// nothing. Main runs on the calling thread until its first park (for ever if it takes a thread_lock
/// before that). When it returns, the coroutines still alive are cancelled and joined; those left after
/// options.shutdown_grace are reported, and the process then ends with main's value. An exception that
/// leaves main leaves run(), after the same shutdown.
///
/// std::logic_error inside a coroutine or while another runtime is up.
template <class F>
int run(F&& main, const options& opts = {}, call_site where = call_site::current()) {
    using call = std::remove_reference_t<F>;
    using result = std::invoke_result_t<call&>;
    static_assert(std::is_void_v<result> || std::convertible_to<result, int>,
                  "weft::run: main returns int or nothing");
    call* const callee = std::addressof(main);  // Through one more pointer: it may be a function's.
    return detail::run_main(
        opts,
        [](void* argument) -> int {
            if constexpr (std::is_void_v<result>) {
                (**static_cast<call* const*>(argument))();
                return 0;
            } else {
                return (**static_cast<call* const*>(argument))();
            }
        },
        const_cast<call**>(&callee), where);
}

/// The runtime as an object, for programs that have a main loop of their own. One at a time in a
/// process; it may be started and stopped again and again. Nothing of it is left once destroyed: no
/// thread, no descriptor, no mapping.
class [[nodiscard]] runtime {
public:
    /// std::logic_error when a runtime is up.
    [[nodiscard]] runtime(const options& opts = {}) { detail::start_runtime(opts); }

    /// Cancels what is alive and waits for it, however long it takes; after options.shutdown_grace it
    /// reports who is left. Not to be called from a coroutine.
    ~runtime() { detail::stop_runtime(); }

    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    /// Runs `f` as a coroutine. From any thread. The future throws coroutine_cancelled when the
    /// coroutine was cancelled.
    template <class F, class R = std::invoke_result_t<std::decay_t<F>>>
    std::future<R> submit(F&& f, call_site where = call_site::current()) {
        static_assert(!detail::gc_hidden_by_malloc<R>,
                      "weft: the shared state of a future is in memory that the garbage collector "
                      "does not read; return a gc::root");
        detail::submission<std::decay_t<F>, R> work{std::forward<F>(f), {}};
        std::future<R> result = work.promise.get_future();
        detail::spawn_task(std::move(work), nullptr, nullptr, detail::spawn_mode::detached, where);
        return result;
    }
};

}  // namespace WEFT_STACK_KIND
}  // namespace weft
