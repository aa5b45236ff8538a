// Coroutines whose results come in the order in which they end.
#pragma once

#include <weft/detail/operation.hpp>
#include <weft/detail/scope_core.hpp>
#include <weft/detail/spin_lock.hpp>
#include <weft/detail/task.hpp>
#include <weft/detail/wrong_call.hpp>
#include <weft/exceptions.hpp>
#include <weft/go.hpp>
#include <weft/sync/semaphore.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft {
namespace detail {

/// One member of a join_set.
struct join_set_member {
    join_set_member() = default;
    join_set_member(const join_set_member&) = delete;
    join_set_member& operator=(const join_set_member&) = delete;
    virtual ~join_set_member() = default;

    join_set_member* next = nullptr;
    std::atomic<int> done{0};
};

/// Members that have ended and nobody has fetched, the first to end in front. Owns them. See src/runtime/join_set.cpp.
class join_set_queue {
public:
    join_set_queue() = default;
    ~join_set_queue();
    join_set_queue(const join_set_queue&) = delete;
    join_set_queue& operator=(const join_set_queue&) = delete;

    /// Lists the member when it is called for the second time: the coroutine calls it at its end, and the spawner after its
    /// last use of the handle.
    void finish(join_set_member& m);
    /// Waits for one. A cancellation point.
    [[nodiscard]] std::unique_ptr<join_set_member> take();
    /// Lists one that was taken, in front.
    void put_back(std::unique_ptr<join_set_member> m);

private:
    spin_lock lock_;
    join_set_member* first_ = nullptr;
    join_set_member** end_ = &first_;
    counting_semaphore<> listed_{0};
};

/// Finishes a member for its coroutine, when the captures of that are destroyed.
class join_set_note {
public:
    join_set_note(join_set_queue& queue, join_set_member& m) noexcept : queue_(&queue), m_(&m) {}
    join_set_note(join_set_note&& other) noexcept
        : queue_(other.queue_), m_(std::exchange(other.m_, nullptr)) {}
    ~join_set_note() {
        if (m_ != nullptr) queue_->finish(*m_);
    }

private:
    join_set_queue* queue_;
    join_set_member* m_;
};

}  // namespace detail

inline namespace WEFT_STACK_KIND {

/// Starts coroutines and hands out their results, the first to end first. next() rethrows the exception that ended a member; the
/// others go on. spawn(), cancel() and size() may be called from anywhere, also from members; next()
/// by one at a time. No member outlives the set.
template <class T>
class [[nodiscard]] join_set {
    static_assert(std::is_void_v<T> || std::is_object_v<T>,
                  "weft::join_set<T>: T is an object type, or void");

public:
    /// next() returns one; true stands for a result of void.
    using result = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;

    /// options.limit: at most so many members at once; spawn() waits for a place. (So a member that spawns into its own full
    /// set waits for a place while it holds one.)
    [[nodiscard]] explicit join_set(scope_options options = {}) : members_(options.limit) {}

    /// Cancels and joins those that are left, uncancellably. Results and exceptions that nobody has fetched are dropped.
    ~join_set() = default;

    join_set(const join_set&) = delete;
    join_set& operator=(const join_set&) = delete;

    /// Starts a member. With a limit a cancellation point. Throws as weft::spawn() does.
    template <class F>
    void spawn(F&& f, call_site where = call_site::current()) {
        start(spawn_options(), std::forward<F>(f), where);
    }
    template <class F>
    void spawn(const spawn_options& options, F&& f, call_site where = call_site::current()) {
        start(options, std::forward<F>(f), where);
    }
    template <class... A>
    requires detail::wrong_coroutine_call<A...> detail::capture_the_arguments_instead spawn(A&&...)
    = delete;

    /// Waits until a member has ended whose result nobody has fetched, and returns that, or rethrows what ended it:
    /// coroutine_cancelled, if that was `cancelled`. std::nullopt (false, for void) when none is left. A cancellation
    /// point; if it throws `cancelled`, no result is lost.
    [[nodiscard]] result next() {
        detail::cancellable_operation_point();
        if (left_.load(std::memory_order_relaxed) == 0) return result();
        ending end = joined(ended_.take());
        left_.fetch_sub(1, std::memory_order_relaxed);
        if (auto* const error = std::get_if<0>(&end)) std::rethrow_exception(*error);
        if constexpr (std::is_void_v<T>) {
            return true;
        } else {
            return result(std::in_place, std::move(std::get<1>(end)));
        }
    }

    /// Asks all members to stop, also those that are spawned later.
    void cancel() noexcept { members_.cancel(); }

    /// Returns how many members there are whose results nobody has fetched, whether they have ended or not.
    [[nodiscard]] std::size_t size() const noexcept {
        return left_.load(std::memory_order_relaxed);
    }

private:
    using value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    using ending = std::variant<std::exception_ptr, value>;

    struct member final : detail::join_set_member {
        join_handle<ending> handle;
    };

    // Its coroutine has come to the end of what it captured; what is left may still wait.
    ending joined(std::unique_ptr<detail::join_set_member> m) {
        try {
            return static_cast<member&>(*m).handle.join();
        } catch (...) {
            ended_.put_back(std::move(m));
            throw;
        }
    }

    // An exception must not reach the scope, which would cancel the others.
    template <class F>
    static ending outcome_of(F& f) {
        try {
            if constexpr (std::is_void_v<T>) {
                std::invoke(std::move(f));
                return ending(std::in_place_index<1>);
            } else {
                return ending(std::in_place_index<1>, std::invoke(std::move(f)));
            }
        } catch (const cancelled&) {
            return ending(std::in_place_index<0>, std::make_exception_ptr(coroutine_cancelled()));
        } catch (...) {
            return ending(std::in_place_index<0>, std::current_exception());
        }
    }

    template <class F>
    void start(const spawn_options& options, F&& f, call_site where) {
        if constexpr (!std::is_void_v<T>) {
            static_assert(std::is_convertible_v<std::invoke_result_t<std::decay_t<F>>, T>,
                          "weft::join_set<T>::spawn(f): the result of f must convert to T");
        }
        auto fresh = std::make_unique<member>();
        auto body = [note = detail::join_set_note(ended_, *fresh),
                     f = std::forward<F>(f)]() mutable { return outcome_of(f); };
        fresh->handle = detail::join_access::make<ending>(detail::spawn_task(
            std::move(body), &options, &members_, detail::spawn_mode::joinable, where));
        left_.fetch_add(
            1, std::memory_order_relaxed);  // Before it is listed, so next() waits for no other.
        ended_.finish(*fresh.release());
    }

    // Relaxed: it counts. Whoever has fetched a result sees what its member has spawned, because finish() and take() order that.
    std::atomic<std::size_t> left_{0};
    detail::join_set_queue ended_;
    detail::scope_core members_;  // Ends before what its members use.
};

}  // namespace WEFT_STACK_KIND
}  // namespace weft
