// weft::local<T>: what thread_local is to threads.
#pragma once

#include <weft/detail/gc_carrier.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace weft {

/// Whether a coroutine starts with a copy of its spawner's value.
enum class inheritance : unsigned char { none, copied };

namespace detail {

/// How the values of one local<T> are handled.
struct local_type {
    void* (*copy)(const void* value);  // Null when not inherited.
    void (*destroy)(void* value) noexcept;
};

/// Keys are never reused within a process: a value left under an old key is never seen under a new one.
[[nodiscard]] std::uint32_t new_local_key(const local_type&);
/// The calling coroutine's value, or the thread's outside of coroutines; null when not set.
[[nodiscard]] void* find_local(std::uint32_t key) noexcept;
/// Takes ownership of `value`; destroys the one there was.
void store_local(std::uint32_t key, void* value);

}  // namespace detail

/// A variable of which every coroutine has its own. Usually a namespace-scope or static object; it must
/// outlive the values it holds, as a thread_local does. On a foreign thread it is the thread's own.
/// Values are destroyed when the coroutine ends, on it, in no particular order.
template <class T>
class local {
public:
    /// Coroutines start with a value-initialised T, which need be neither copyable nor movable.
    local() requires std::is_default_constructible_v<T> : start_(&value_initialised),
                                                          key_(detail::new_local_key(fresh)) {}

    /// Coroutines start with a copy of `initial` or, with inheritance::copied, of their spawner's value
    /// if it has set one.
    explicit local(T initial, inheritance from_spawner = inheritance::none)
        : initial_(std::move(initial)), start_(&copy_of_initial),
          key_(detail::new_local_key(from_spawner == inheritance::copied ? inherited : fresh)) {
        static_assert(
            std::is_copy_constructible_v<T>,
            "weft::local: coroutines start with a copy of the initial value, or inherit one; "
            "where T can't be copied use the default constructor");
    }

    local(const local&) = delete;
    local& operator=(const local&) = delete;

    /// The calling coroutine's value. The reference is good until the coroutine ends.
    [[nodiscard]] T& get() {
        void* value = detail::find_local(key_);
        if (value == nullptr) {
            held made = start_(*this);
            detail::store_local(key_, made.get());
            value = made.release();
        }
        return *static_cast<T*>(value);
    }

    void set(T value) { get() = std::move(value); }
    [[nodiscard]] T& operator*() { return get(); }
    [[nodiscard]] T* operator->() { return std::addressof(get()); }

private:
    struct deleter {
        void operator()(T* value) const noexcept { detail::delete_carried(value); }
    };
    using held = std::unique_ptr<T, deleter>;

    static void destroy(void* value) noexcept { detail::delete_carried(static_cast<T*>(value)); }
    static void* copy(const void* value) {
        return detail::new_carried<T>(*static_cast<const T*>(value));
    }

    static held value_initialised(const local&) { return held(detail::new_carried<T>()); }
    static held copy_of_initial(const local& self) {
        return held(detail::new_carried<T>(*self.initial_));
    }

    static constexpr detail::local_type fresh{nullptr, &destroy};
    static constexpr detail::local_type inherited{&copy, &destroy};

    // Only the constructor that needs it names what copies: std::vector<std::unique_ptr<int>> claims to be
    // copyable, and does not compile when it is copied.
    const std::optional<T> initial_;
    held (*const start_)(const local&);
    const std::uint32_t key_;
};

}  // namespace weft
