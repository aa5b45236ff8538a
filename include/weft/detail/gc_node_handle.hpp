// The handle that extract() of the node containers of weft/gc.hpp returns.
#pragma once

#include <weft/detail/gc_allocator.hpp>
#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <type_traits>
#include <utility>

namespace weft::detail {

/// How the elements of a container relate to their keys.
template <class K>
struct gc_set_kind {
    using key = K;
    using value = K;
    static constexpr bool is_map = false;
    static const K& key_of(const K& v) noexcept { return v; }
};
template <class K, class V>
struct gc_map_kind {
    using key = K;
    using mapped = V;
    using value = std::pair<const K, V>;
    static constexpr bool is_map = true;
    static const K& key_of(const value& v) noexcept { return v.first; }
};

/// An element out of its container, or none. Move-only; its element is destroyed with it.
template <class Node, class Kind>
class gc_node_handle {
public:
    using value_type = typename Kind::value;
    using key_type = typename Kind::key;
    using allocator_type = gc::allocator<value_type>;

    gc_node_handle() noexcept = default;
    explicit gc_node_handle(Node* node) noexcept : node_(node) {}
    gc_node_handle(gc_node_handle&& other) noexcept : node_(std::move(other.node_)) {}
    gc_node_handle& operator=(gc_node_handle&& other) noexcept {
        if (this != &other) {
            drop();
            node_ = std::move(other.node_);
        }
        return *this;
    }
    ~gc_node_handle() { drop(); }

    [[nodiscard]] bool empty() const noexcept { return node_ == nullptr; }
    [[nodiscard]] explicit operator bool() const noexcept { return !empty(); }
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    [[nodiscard]] value_type& value() const noexcept requires(!Kind::is_map) {
        return node_->place.value;
    }
    // The key may be changed out here, as the standard has it.
    [[nodiscard]] key_type& key() const noexcept requires(Kind::is_map) {
        return const_cast<key_type&>(node_->place.value.first);
    }
    [[nodiscard]] auto& mapped() const noexcept requires(Kind::is_map) {
        return node_->place.value.second;
    }
    void swap(gc_node_handle& other) noexcept { node_.swap(other.node_); }
    friend void swap(gc_node_handle& a, gc_node_handle& b) noexcept { a.swap(b); }

    [[nodiscard]] Node* get() const noexcept { return node_.get(); }
    [[nodiscard]] Node* release() noexcept {
        Node* const node = node_.get();
        node_ = nullptr;
        return node;
    }

private:
    void drop() noexcept {
        if (Node* const node = release()) {
            gc_destroy_value(node->place.value);
            gc_wipe_node(node);
        }
    }

    gc::ptr<Node> node_;
};

/// The result of inserting a handle.
template <class Iterator, class Handle>
struct gc_insert_return {
    Iterator position;
    bool inserted = false;
    Handle node;
};

}  // namespace weft::detail
