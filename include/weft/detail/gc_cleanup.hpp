// weft::gc::cleanup: something to be done after an object of the collected heap is gone.
#pragma once

#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/detail/stack_kind.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft::detail {

/// A function that waits for an object to go; outside the collected heap. src/gc/life/cleanup.hpp.
struct cleanup_node;

/// The function itself lies in the collected heap, so that its captures are traced, and the node is a root of it.
struct cleanup_type {
    void (*run)(void* function);  // Calls it and destroys it. An exception leaves it.
    void (*discard)(void* function) noexcept;
    std::size_t size;
    bool split_stack;
};

/// Returns a node with a reference for the caller. Throws std::bad_alloc; the function is then still the caller's.
[[nodiscard]] cleanup_node* gc_add_cleanup(const void* object, void* function, const cleanup_type&);
[[nodiscard]] bool gc_cancel_cleanup(cleanup_node&) noexcept;
void gc_share_cleanup(cleanup_node&) noexcept;
void gc_unshare_cleanup(cleanup_node&) noexcept;

inline namespace WEFT_STACK_KIND {

template <class F>
struct cleanup_call {
    static void run(void* function) {
        struct guard {
            F& f;
            ~guard() { f.~F(); }
        } const destroy{*static_cast<F*>(function)};
        std::invoke(std::move(destroy.f));
    }
    static void discard(void* function) noexcept { static_cast<F*>(function)->~F(); }

    static constexpr cleanup_type type{&run, &discard, sizeof(F), stack_kind_is_split};
};

}  // namespace WEFT_STACK_KIND
}  // namespace weft::detail

namespace weft::gc {

/// Names what cleanup() has arranged. It may be dropped: that cancels nothing. Copies name the same.
class cleanup_handle {
public:
    cleanup_handle() noexcept = default;
    explicit cleanup_handle(weft::detail::cleanup_node* node) noexcept : node_(node) {}
    cleanup_handle(const cleanup_handle& other) noexcept : node_(other.node_) {
        if (node_ != nullptr) weft::detail::gc_share_cleanup(*node_);
    }
    cleanup_handle(cleanup_handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    cleanup_handle& operator=(cleanup_handle other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~cleanup_handle() {
        if (node_ != nullptr) weft::detail::gc_unshare_cleanup(*node_);
    }

    /// Destroys the function without calling it. Returns false if it has been called, is being called, or was cancelled
    /// before.
    bool cancel() noexcept { return node_ != nullptr && weft::detail::gc_cancel_cleanup(*node_); }

private:
    weft::detail::cleanup_node* node_ = nullptr;
};

/// Calls f() once, on a coroutine, after the object is gone: found unreachable and, if it has a destructor,
/// destroyed. `f` may hold ptrs, allocate, send and park; it must not reach the object, or that will never go
/// (assertion builds of weft check what they can see). It is not called for objects that are alive at exit. An
/// exception that leaves it ends in the report of uncaught exceptions. An object may have any number of them.
///
/// To be called where make() may be. Throws std::bad_alloc, std::invalid_argument if `object` is null or not in the
/// heap.
template <class T, class F>
cleanup_handle cleanup(const ptr<T>& object, F&& f) {
    using function = std::decay_t<F>;
    static_assert(std::is_invocable_v<function>,
                  "weft::gc::cleanup(object, f): f is called without arguments; what it needs it "
                  "captures, and not the object itself");
    using call = weft::detail::cleanup_call<function>;
    constexpr weft::detail::gc_kind kind = weft::detail::gc_scan_not<function>
                                               ? weft::detail::gc_kind::pointer_free
                                               : weft::detail::gc_kind::scanned;
    constexpr std::size_t bytes =
        weft::detail::gc_bytes_for(sizeof(function), alignof(function), kind);
    // No destructor is due for it: run() or discard() destroys the function.
    auto* const stored = weft::detail::gc_construct_shaded<function>(
        weft::detail::gc_align<alignof(function)>(weft::detail::gc_allocate_fixed<kind, bytes>()),
        std::forward<F>(f));
    struct guard {
        function* f;
        ~guard() {
            if (f != nullptr) f->~function();
        }
    } undo{stored};
    cleanup_handle handle(weft::detail::gc_add_cleanup(object.get(), stored, call::type));
    undo.f = nullptr;
    return handle;
}

}  // namespace weft::gc
