// The ordered containers of weft/gc.hpp as one: elements in a tree, by a key that is a part of them. See
// gc_elements.hpp and gc_tree_links.hpp.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_node_handle.hpp>
#include <weft/detail/gc_tree_links.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class T>
struct gc_tree_node : gc_tree_links {
    gc_place<T> place;
};

template <class T, bool Const>
class gc_tree_iterator {
public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<Const, const T&, T&>;
    using pointer = std::conditional_t<Const, const T*, T*>;

    gc_tree_iterator() noexcept = default;
    explicit gc_tree_iterator(gc_tree_links* at) noexcept : at_(at) {}
    template <bool Other>
    requires(Const && !Other) gc_tree_iterator(const gc_tree_iterator<T, Other>& other)
    noexcept : at_(other.links()) {}

    [[nodiscard]] reference operator*() const noexcept {
        return static_cast<gc_tree_node<T>*>(at_)->place.value;
    }
    [[nodiscard]] pointer operator->() const noexcept { return std::addressof(**this); }
    gc_tree_iterator& operator++() noexcept {
        at_ = at_->next();
        return *this;
    }
    gc_tree_iterator operator++(int) noexcept {
        const gc_tree_iterator old = *this;
        ++*this;
        return old;
    }
    gc_tree_iterator& operator--() noexcept {
        at_ = at_->previous();
        return *this;
    }
    gc_tree_iterator operator--(int) noexcept {
        const gc_tree_iterator old = *this;
        --*this;
        return old;
    }
    [[nodiscard]] friend bool operator==(const gc_tree_iterator&,
                                         const gc_tree_iterator&) noexcept = default;

    [[nodiscard]] gc_tree_links* links() const noexcept { return at_; }

private:
    gc_tree_links* at_ = nullptr;
};

template <class Less>
concept gc_transparent = requires {
    typename Less::is_transparent;
};

template <class Kind, class Less, bool Multi>
class gc_tree_core {
    using node = gc_tree_node<typename Kind::value>;

public:
    using key_type = typename Kind::key;
    using value_type = typename Kind::value;
    using key_compare = Less;
    using allocator_type = gc::allocator<value_type>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = value_type&;
    using const_reference = const value_type&;
    using pointer = value_type*;
    using const_pointer = const value_type*;
    using const_iterator = gc_tree_iterator<value_type, true>;
    using iterator =
        std::conditional_t<Kind::is_map, gc_tree_iterator<value_type, false>, const_iterator>;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;
    using node_type = gc_node_handle<node, Kind>;
    using insert_return_type = gc_insert_return<iterator, node_type>;

    gc_tree_core() { gc_tree_reset(header_); }
    explicit gc_tree_core(const Less& less, const allocator_type& = {}) : less_(less) {
        gc_tree_reset(header_);
    }
    explicit gc_tree_core(const allocator_type&) : gc_tree_core() {}
    template <gc_input_iterator It>
    gc_tree_core(It first, It last, const Less& less = Less(), const allocator_type& = {})
        : gc_tree_core(less) {
        building made{*this};
        insert(first, last);
        made.done = true;
    }
    template <gc_input_iterator It>
    gc_tree_core(It first, It last, const allocator_type&) : gc_tree_core(first, last) {}
    gc_tree_core(std::initializer_list<value_type> values, const Less& less = Less(),
                 const allocator_type& = {})
        : gc_tree_core(values.begin(), values.end(), less) {}
    gc_tree_core(std::initializer_list<value_type> values, const allocator_type&)
        : gc_tree_core(values.begin(), values.end()) {}
    gc_tree_core(const gc_tree_core& other) : gc_tree_core(other.less_) {
        building made{*this};
        copy_from(other);
        made.done = true;
    }
    gc_tree_core(const gc_tree_core& other, const allocator_type&) : gc_tree_core(other) {}
    gc_tree_core(gc_tree_core&& other) noexcept(std::is_nothrow_copy_constructible_v<Less>)
        : gc_tree_core(other.less_) {
        take(other);
    }
    gc_tree_core(gc_tree_core&& other, const allocator_type&) : gc_tree_core(std::move(other)) {}

    gc_tree_core& operator=(const gc_tree_core& other) {
        if (this != &other) {
            gc_tree_core fresh(other);
            less_ = other.less_;
            become(fresh);
        }
        return *this;
    }
    gc_tree_core&
    operator=(gc_tree_core&& other) noexcept(std::is_nothrow_copy_assignable_v<Less>) {
        if (this != &other) {
            less_ = other.less_;
            become(other);
        }
        return *this;
    }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    [[nodiscard]] key_compare key_comp() const { return less_; }

    [[nodiscard]] iterator begin() noexcept { return iterator(header_.left.get()); }
    [[nodiscard]] const_iterator begin() const noexcept {
        return const_iterator(header_.left.get());
    }
    [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
    [[nodiscard]] iterator end() noexcept { return iterator(header()); }
    [[nodiscard]] const_iterator end() const noexcept { return const_iterator(header()); }
    [[nodiscard]] const_iterator cend() const noexcept { return end(); }
    [[nodiscard]] reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
    [[nodiscard]] const_reverse_iterator rbegin() const noexcept {
        return const_reverse_iterator(end());
    }
    [[nodiscard]] const_reverse_iterator crbegin() const noexcept { return rbegin(); }
    [[nodiscard]] reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
    [[nodiscard]] const_reverse_iterator rend() const noexcept {
        return const_reverse_iterator(begin());
    }
    [[nodiscard]] const_reverse_iterator crend() const noexcept { return rend(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] size_type size() const noexcept { return size_; }
    [[nodiscard]] size_type max_size() const noexcept { return PTRDIFF_MAX / sizeof(node); }

    void clear() noexcept {
        gc_tree_links* const root = header_.parent.get();
        gc_tree_reset(header_);
        size_ = 0;
        if (root == nullptr) return;
        root->parent = nullptr;
        drop_all(root);
    }

    template <class... Args>
    auto emplace(Args&&... args) {
        node* const made = make_node(std::forward<Args>(args)...);
        return insert_or_drop(made);
    }
    template <class... Args>
    iterator emplace_hint(const_iterator hint, Args&&... args) {
        node* const made = make_node(std::forward<Args>(args)...);
        return insert_near(hint, made);
    }
    auto insert(const value_type& value) { return insert_value(value); }
    auto insert(value_type&& value) { return insert_value(std::move(value)); }
    template <class P>
    requires(Kind::is_map&& std::is_constructible_v<value_type, P&&> &&
             !std::same_as<std::remove_cvref_t<P>, value_type> &&
             !std::same_as<std::remove_cvref_t<P>, node_type>) auto insert(P&& value) {
        return emplace(std::forward<P>(value));
    }
    iterator insert(const_iterator hint, const value_type& value) {
        return emplace_hint(hint, value);
    }
    iterator insert(const_iterator hint, value_type&& value) {
        return emplace_hint(hint, std::move(value));
    }
    template <gc_input_iterator It>
    void insert(It first, It last) {
        for (; first != last; ++first) emplace_hint(end(), *first);
    }
    void insert(std::initializer_list<value_type> values) { insert(values.begin(), values.end()); }
    auto insert(node_type&& handle) {
        if constexpr (Multi) {
            if (handle.empty()) return end();
            return link_equal(handle.release());
        } else {
            if (handle.empty()) return insert_return_type{end(), false, {}};
            const spot at = find_spot(Kind::key_of(handle.get()->place.value));
            if (at.found != nullptr) {
                return insert_return_type{iterator(at.found), false, std::move(handle)};
            }
            return insert_return_type{link(at, handle.release()), true, {}};
        }
    }
    iterator insert(const_iterator hint, node_type&& handle) {
        if (handle.empty()) return end();
        if constexpr (Multi) {
            return link(hint_spot(hint, Kind::key_of(handle.get()->place.value)), handle.release());
        } else {
            const spot at = hint_spot(hint, Kind::key_of(handle.get()->place.value));
            if (at.found != nullptr) return iterator(at.found);
            return link(at, handle.release());
        }
    }
    node_type extract(const_iterator at) noexcept {
        auto* const one = static_cast<node*>(at.links());
        unlink(one);
        return node_type(one);
    }
    node_type extract(const key_type& key) {
        const const_iterator at = find(key);
        return at == end() ? node_type() : extract(at);
    }
    /// Takes those elements of `other` over that fit in here, as nodes: no element is moved.
    template <class OtherLess, bool OtherMulti>
    void merge(gc_tree_core<Kind, OtherLess, OtherMulti>& other) {
        if constexpr (std::is_same_v<gc_tree_core, gc_tree_core<Kind, OtherLess, OtherMulti>>) {
            if (this == &other) return;
        }
        for (auto at = other.begin(); at != other.end();) {
            const auto one = at++;
            if constexpr (Multi) {
                insert(other.extract(one));
            } else {
                const spot here = find_spot(Kind::key_of(*one));
                if (here.found == nullptr) link(here, other.extract(one).release());
            }
        }
    }
    template <class OtherLess, bool OtherMulti>
    void merge(gc_tree_core<Kind, OtherLess, OtherMulti>&& other) {
        merge(other);
    }

    iterator erase(const_iterator at) noexcept {
        auto* const gone = static_cast<node*>(at.links());
        const iterator after(gone->next());
        unlink(gone);
        drop(gone);
        return after;
    }
    iterator erase(iterator at) noexcept requires(!std::same_as<iterator, const_iterator>) {
        return erase(const_iterator(at));
    }
    iterator erase(const_iterator first, const_iterator last) noexcept {
        if (first == begin() && last == end()) {
            clear();
        } else {
            while (first != last) first = erase(first);
        }
        return iterator(last.links());
    }
    size_type erase(const key_type& key) { return erase_key(key); }
    void swap(gc_tree_core& other) noexcept(std::is_nothrow_swappable_v<Less>) {
        using std::swap;
        swap(less_, other.less_);
        links_of mine(*this);
        take(other);
        mine.put_into(other);
    }

    // Look-up; the second of each pair is for comparators that say is_transparent.
    // ---------------------------------------
    [[nodiscard]] iterator find(const key_type& key) { return find_key<iterator>(key); }
    [[nodiscard]] const_iterator find(const key_type& key) const {
        return find_key<const_iterator>(key);
    }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] iterator find(const K& key) { return find_key<iterator>(key); }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] const_iterator find(const K& key) const { return find_key<const_iterator>(key); }
    [[nodiscard]] bool contains(const key_type& key) const { return find(key) != end(); }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] bool contains(const K& key) const { return find(key) != end(); }
    [[nodiscard]] size_type count(const key_type& key) const { return count_key(key); }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] size_type count(const K& key) const { return count_key(key); }
    [[nodiscard]] iterator lower_bound(const key_type& key) { return iterator(lower(key)); }
    [[nodiscard]] const_iterator lower_bound(const key_type& key) const {
        return const_iterator(lower(key));
    }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] iterator lower_bound(const K& key) { return iterator(lower(key)); }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] const_iterator lower_bound(const K& key) const {
        return const_iterator(lower(key));
    }
    [[nodiscard]] iterator upper_bound(const key_type& key) { return iterator(upper(key)); }
    [[nodiscard]] const_iterator upper_bound(const key_type& key) const {
        return const_iterator(upper(key));
    }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] iterator upper_bound(const K& key) { return iterator(upper(key)); }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] const_iterator upper_bound(const K& key) const {
        return const_iterator(upper(key));
    }
    [[nodiscard]] std::pair<iterator, iterator> equal_range(const key_type& key) {
        return {lower_bound(key), upper_bound(key)};
    }
    [[nodiscard]] std::pair<const_iterator, const_iterator> equal_range(const key_type& key) const {
        return {lower_bound(key), upper_bound(key)};
    }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] std::pair<iterator, iterator> equal_range(const K& key) {
        return {lower_bound(key), upper_bound(key)};
    }
    template <class K>
    requires gc_transparent<Less>
    [[nodiscard]] std::pair<const_iterator, const_iterator> equal_range(const K& key) const {
        return {lower_bound(key), upper_bound(key)};
    }

protected:
    // Where a key is, or would be linked.
    struct spot {
        gc_tree_links* above = nullptr;
        bool left = false;
        gc_tree_links* found = nullptr;
    };

    // Unique keys.
    template <class K>
    [[nodiscard]] spot find_spot(const K& key) {
        spot at{header(), true, nullptr};
        gc_tree_links* candidate = nullptr;  // The last one that is not greater.
        for (gc_tree_links* n = header_.parent.get(); n != nullptr;) {
            at.above = n;
            at.left = less_(key, key_of(n));
            if (at.left) {
                n = n->left.get();
            } else {
                candidate = n;
                n = n->right.get();
            }
        }
        if (candidate != nullptr && !less_(key_of(candidate), key)) at.found = candidate;
        return at;
    }
    // Near the hint, if the key belongs there.
    template <class K>
    [[nodiscard]] spot hint_spot(const_iterator hint, const K& key) {
        gc_tree_links* const behind = hint.links();
        if (size_ == 0) return {header(), true, nullptr};
        if (behind == header()) {
            gc_tree_links* const last = header_.right.get();
            if (Multi ? !less_(key, key_of(last)) : less_(key_of(last), key)) {
                return {last, false, nullptr};
            }
        } else if (Multi ? !less_(key_of(behind), key) : less_(key, key_of(behind))) {
            if (behind == header_.left.get()) return {behind, true, nullptr};
            gc_tree_links* const before = behind->previous();
            if (Multi ? !less_(key, key_of(before)) : less_(key_of(before), key)) {
                if (before->right == nullptr) return {before, false, nullptr};
                return {behind, true, nullptr};
            }
        }
        if constexpr (Multi) {
            return upper_spot(key);
        } else {
            return find_spot(key);
        }
    }
    // Equal keys: behind those that are there.
    template <class K>
    [[nodiscard]] spot upper_spot(const K& key) {
        spot at{header(), true, nullptr};
        for (gc_tree_links* n = header_.parent.get(); n != nullptr;) {
            at.above = n;
            at.left = less_(key, key_of(n));
            n = at.left ? n->left.get() : n->right.get();
        }
        return at;
    }
    iterator link(const spot& at, node* one) noexcept {
        gc_tree_insert(one, at.above, at.left, header_);
        ++size_;
        return iterator(one);
    }
    iterator link_equal(node* one) { return link(upper_spot(Kind::key_of(one->place.value)), one); }
    template <class... Args>
    node* make_node(Args&&... args) {
        void* const memory = gc_allocate_node<node>();
        node* const made = ::new (memory) node;
        gc_construct_shaded<value_type>(std::addressof(made->place.value),
                                        std::forward<Args>(args)...);
        return made;
    }

    void destroy_elements() noexcept {
        if constexpr (!std::is_trivially_destructible_v<value_type>) {
            for (gc_tree_links* n = header_.left.get(); n != header(); n = n->next()) {
                gc_destroy_value(static_cast<node*>(n)->place.value);
            }
        }
    }

private:
    struct building {
        gc_tree_core& tree;
        bool done = false;
        ~building() {
            if (!done) tree.clear();
        }
    };
    // A node that is not in the tree yet, in case that a comparison throws.
    struct unlinked {
        node* one;
        ~unlinked() {
            if (one != nullptr) drop(one);
        }
        node* release() noexcept { return std::exchange(one, nullptr); }
    };
    // The nodes of a tree, while another one's are in its place.
    class links_of {
    public:
        explicit links_of(gc_tree_core& tree) noexcept
            : root_(tree.header_.parent.get()), first_(tree.header_.left.get()),
              last_(tree.header_.right.get()), size_(tree.size_) {
            gc_tree_reset(tree.header_);
            tree.size_ = 0;
        }
        void put_into(gc_tree_core& tree) const noexcept {
            if (size_ == 0) return;
            tree.header_.parent = root_;
            tree.header_.left = first_;
            tree.header_.right = last_;
            root_->parent = &tree.header_;
            tree.size_ = size_;
        }

    private:
        gc_tree_links* root_;
        gc_tree_links* first_;
        gc_tree_links* last_;
        size_type size_;
    };

    [[nodiscard]] gc_tree_links* header() const noexcept {
        return const_cast<gc_tree_links*>(&header_);
    }
    [[nodiscard]] static const key_type& key_of(const gc_tree_links* n) noexcept {
        return Kind::key_of(static_cast<const node*>(n)->place.value);
    }

    auto insert_or_drop(node* made) {
        unlinked keep{made};
        if constexpr (Multi) {
            const spot at = upper_spot(Kind::key_of(made->place.value));
            return link(at, keep.release());
        } else {
            const spot at = find_spot(Kind::key_of(made->place.value));
            if (at.found != nullptr) return std::pair<iterator, bool>(iterator(at.found), false);
            return std::pair<iterator, bool>(link(at, keep.release()), true);
        }
    }
    iterator insert_near(const_iterator hint, node* made) {
        unlinked keep{made};
        const spot at = hint_spot(hint, Kind::key_of(made->place.value));
        if (at.found != nullptr) return iterator(at.found);
        return link(at, keep.release());
    }
    template <class V>
    auto insert_value(V&& value) {
        if constexpr (Multi) {
            return emplace(std::forward<V>(value));
        } else {
            const spot at = find_spot(Kind::key_of(value));
            if (at.found != nullptr) return std::pair<iterator, bool>(iterator(at.found), false);
            return std::pair<iterator, bool>(link(at, make_node(std::forward<V>(value))), true);
        }
    }
    size_type erase_key(const key_type& key) {
        if constexpr (Multi) {
            const auto [first, last] = equal_range(key);
            const size_type before = size_;
            erase(const_iterator(first), const_iterator(last));
            return before - size_;
        } else {
            const const_iterator at = find(key);
            if (at == end()) return 0;
            erase(at);
            return 1;
        }
    }

    // The first one that is not less.
    template <class K>
    [[nodiscard]] gc_tree_links* lower(const K& key) const {
        gc_tree_links* best = header();
        for (gc_tree_links* n = header_.parent.get(); n != nullptr;) {
            if (less_(key_of(n), key)) {
                n = n->right.get();
            } else {
                best = n;
                n = n->left.get();
            }
        }
        return best;
    }
    // The first one that is greater.
    template <class K>
    [[nodiscard]] gc_tree_links* upper(const K& key) const {
        gc_tree_links* best = header();
        for (gc_tree_links* n = header_.parent.get(); n != nullptr;) {
            if (less_(key, key_of(n))) {
                best = n;
                n = n->left.get();
            } else {
                n = n->right.get();
            }
        }
        return best;
    }
    template <class It, class K>
    [[nodiscard]] It find_key(const K& key) const {
        gc_tree_links* const n = lower(key);
        return It(n == header() || less_(key, key_of(n)) ? header() : n);
    }
    template <class K>
    [[nodiscard]] size_type count_key(const K& key) const {
        if constexpr (Multi || gc_transparent<Less>) {
            return static_cast<size_type>(
                std::distance(const_iterator(lower(key)), const_iterator(upper(key))));
        } else {
            return contains(key) ? 1 : 0;
        }
    }

    void unlink(node* one) noexcept {
        gc_tree_erase(one, header_);
        --size_;
    }
    static void drop(node* gone) noexcept {
        gc_destroy_value(gone->place.value);
        gc_wipe_node(gone);
    }
    // Without recursion, because the stack of a coroutine is small.
    static void drop_all(gc_tree_links* at) noexcept {
        while (at != nullptr) {
            gc_tree_links* below = at->left.get();
            if (below != nullptr) {
                at->left = nullptr;
            } else if (below = at->right.get(); below != nullptr) {
                at->right = nullptr;
            } else {
                below = at->parent.get();
                drop(static_cast<node*>(at));
            }
            at = below;
        }
    }

    // Ours is empty.
    void take(gc_tree_core& other) noexcept { links_of(other).put_into(*this); }
    void become(gc_tree_core& fresh) noexcept {
        clear();
        take(fresh);
    }
    // In the order of the other one, each behind the last: a constant time each.
    void copy_from(const gc_tree_core& other) {
        for (const value_type& value : other) {
            node* const made = make_node(value);
            link(size_ == 0 ? spot{header(), true, nullptr}
                            : spot{header_.right.get(), false, nullptr},
                 made);
        }
    }

    [[no_unique_address]] Less less_;
    gc_tree_links header_;
    size_type size_ = 0;
};

}  // namespace weft::detail
