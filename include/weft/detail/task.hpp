// A closure on its way through a coroutine: the type-erased half of spawn().
//
// A task frame holds the closure and room for its result. It lives in the coroutine's descriptor when
// it fits (`inline_frame_size`), else in the runtime's own memory. Its life:
//
//     spawn            construct `call`        any thread that may spawn
//     run              calls and destroys it   the coroutine; leaves the result behind, or throws
//     join             moves the result out    the joiner, after the coroutine has ended
//     drop_result      nobody wants it         whoever gives the descriptor back
#pragma once

#include <weft/detail/call_site.hpp>
#include <weft/detail/gc_carrier.hpp>
#include <weft/detail/stack_kind.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft {
struct spawn_options;
}  // namespace weft

namespace weft::detail {

struct coroutine;
class scope_core;

inline constexpr std::size_t inline_frame_size = 64;
inline constexpr std::size_t inline_frame_align = 16;

struct task_type {
    std::size_t size;
    std::size_t align;
    void (*run)(void* frame);
    void (*discard)(void* frame) noexcept;      // Destroys a closure that will never run.
    void (*drop_result)(void* frame) noexcept;  // Null when there is nothing to destroy.
    bool split_stack;                           // It was compiled for split stacks.
};

/// How a result is kept: references as pointers, void as nothing.
template <class R>
struct result_slot {
    using stored = std::conditional_t<std::is_reference_v<R>, std::add_pointer_t<R>, R>;
    alignas(stored) std::byte bytes[sizeof(stored)];

    stored& get() noexcept { return *std::launder(reinterpret_cast<stored*>(bytes)); }

    template <class F>
    void fill(F& call) {
        if constexpr (std::is_reference_v<R>) {
            auto&& result = std::invoke(std::move(call));
            ::new (static_cast<void*>(bytes)) stored(std::addressof(result));
        } else {
            ::new (static_cast<void*>(bytes)) stored(std::invoke(std::move(call)));
        }
    }
    R take() {
        if constexpr (std::is_reference_v<R>) {
            return static_cast<R>(*get());
        } else {
            struct guard {
                stored& value;
                ~guard() { value.~stored(); }
            } const destroy{get()};
            return std::move(destroy.value);
        }
    }
    void drop() noexcept { get().~stored(); }
};

template <>
struct result_slot<void> {
    template <class F>
    void fill(F& call) {
        std::invoke(std::move(call));
    }
    void take() noexcept {}
    void drop() noexcept {}
};

inline namespace WEFT_STACK_KIND {

// The result comes first: a joiner knows R but not F, and finds it at the frame's address.
template <class F, class R>
struct task_frame {
    [[no_unique_address]] result_slot<R> result;
    alignas(F) std::byte call_bytes[sizeof(F)];

    F& call() noexcept { return *std::launder(reinterpret_cast<F*>(call_bytes)); }

    static void run(void* frame) {
        auto& self = *static_cast<task_frame*>(frame);
        struct guard {
            F& call;
            ~guard() { call.~F(); }
        } const destroy{self.call()};
        self.result.fill(destroy.call);
    }
    static void discard(void* frame) noexcept { static_cast<task_frame*>(frame)->call().~F(); }
    static void drop_result(void* frame) noexcept {
        static_cast<task_frame*>(frame)->result.drop();
    }

    static constexpr task_type type{sizeof(task_frame),
                                    alignof(task_frame),
                                    &run,
                                    &discard,
                                    std::is_void_v<R> || std::is_reference_v<R> ? nullptr
                                                                                : &drop_result,
                                    stack_kind_is_split};
};

}  // namespace WEFT_STACK_KIND

/// Who is told when the coroutine ends.
enum class spawn_mode : unsigned char { detached, joinable };

/// Takes a descriptor and room for the frame. Throws std::logic_error when no runtime is up and
/// std::bad_alloc when memory ends. A scope is entered here: this may wait for a place, and throw
/// `cancelled`. The caller constructs the closure at frame_of() and then calls one of the next two.
coroutine& begin_spawn(const task_type&, const spawn_options*, scope_core*, spawn_mode,
                       const call_site&);
void commit_spawn(coroutine&) noexcept;
void abandon_spawn(coroutine&) noexcept;
[[nodiscard]] void* frame_of(coroutine&) noexcept;

inline namespace WEFT_STACK_KIND {

/// The whole of a spawn. The closure is decay-copied; if that throws nothing has happened.
template <class F>
coroutine& spawn_task(F&& f, const spawn_options* options, scope_core* scope, spawn_mode mode,
                      const call_site& where) {
    using call = std::decay_t<F>;
    using frame = task_frame<call, std::invoke_result_t<call>>;

    coroutine& c = begin_spawn(frame::type, options, scope, mode, where);
    void* const at = static_cast<frame*>(frame_of(c))->call_bytes;
    shade_leaving(f);  // For a moment it is in neither place where the collector looks.
    if constexpr (std::is_nothrow_constructible_v<call, F>) {
        ::new (at) call(std::forward<F>(f));
    } else {
        struct guard {
            coroutine* c;
            ~guard() {
                if (c != nullptr) abandon_spawn(*c);
            }
        } undo{&c};
        ::new (at) call(std::forward<F>(f));
        undo.c = nullptr;
    }
    commit_spawn(c);
    return c;
}

}  // namespace WEFT_STACK_KIND
}  // namespace weft::detail
