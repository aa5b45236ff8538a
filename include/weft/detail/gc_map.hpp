// gc::map, set, multimap and multiset: those of std over gc::allocator. See gc_elements.hpp.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_node_handle.hpp>
#include <weft/detail/gc_tree.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <compare>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class K, class V, class Less, bool Multi>
class gc_map_core : public gc_tree_core<gc_map_kind<K, V>, Less, Multi> {
    using tree = gc_tree_core<gc_map_kind<K, V>, Less, Multi>;
    using typename tree::spot;

public:
    using mapped_type = V;
    using typename tree::const_iterator;
    using typename tree::iterator;
    using typename tree::value_type;

    class value_compare {
    public:
        [[nodiscard]] bool operator()(const value_type& a, const value_type& b) const {
            return less_(a.first, b.first);
        }

    private:
        friend gc_map_core;
        explicit value_compare(const Less& less) : less_(less) {}
        Less less_;
    };

    using tree::tree;
    gc_map_core() = default;

    [[nodiscard]] value_compare value_comp() const { return value_compare(this->key_comp()); }

    V& operator[](const K& key) requires(!Multi) { return try_emplace(key).first->second; }
    V& operator[](K&& key) requires(!Multi) { return try_emplace(std::move(key)).first->second; }
    [[nodiscard]] V& at(const K& key) requires(!Multi) {
        const iterator found = this->find(key);
        if (found == this->end()) throw std::out_of_range("weft::gc::map::at");
        return found->second;
    }
    [[nodiscard]] const V& at(const K& key) const requires(!Multi) {
        const const_iterator found = this->find(key);
        if (found == this->end()) throw std::out_of_range("weft::gc::map::at");
        return found->second;
    }
    template <class... Args>
    requires(!Multi) std::pair<iterator, bool> try_emplace(const K& key, Args&&... args) {
        return emplace_at(this->find_spot(key), key, std::forward<Args>(args)...);
    }
    template <class... Args>
    requires(!Multi) std::pair<iterator, bool> try_emplace(K&& key, Args&&... args) {
        return emplace_at(this->find_spot(key), std::move(key), std::forward<Args>(args)...);
    }
    template <class... Args>
    requires(!Multi) iterator try_emplace(const_iterator hint, const K& key, Args&&... args) {
        return emplace_at(this->hint_spot(hint, key), key, std::forward<Args>(args)...).first;
    }
    template <class... Args>
    requires(!Multi) iterator try_emplace(const_iterator hint, K&& key, Args&&... args) {
        return emplace_at(this->hint_spot(hint, key), std::move(key), std::forward<Args>(args)...)
            .first;
    }
    template <class M>
    requires(!Multi) std::pair<iterator, bool> insert_or_assign(const K& key, M&& value) {
        return assign_at(this->find_spot(key), key, std::forward<M>(value));
    }
    template <class M>
    requires(!Multi) std::pair<iterator, bool> insert_or_assign(K&& key, M&& value) {
        return assign_at(this->find_spot(key), std::move(key), std::forward<M>(value));
    }
    template <class M>
    requires(!Multi) iterator insert_or_assign(const_iterator hint, const K& key, M&& value) {
        return assign_at(this->hint_spot(hint, key), key, std::forward<M>(value)).first;
    }
    template <class M>
    requires(!Multi) iterator insert_or_assign(const_iterator hint, K&& key, M&& value) {
        return assign_at(this->hint_spot(hint, key), std::move(key), std::forward<M>(value)).first;
    }

private:
    template <class Key, class... Args>
    std::pair<iterator, bool> emplace_at(const spot& at, Key&& key, Args&&... args) {
        if (at.found != nullptr) return {iterator(at.found), false};
        auto* const made =
            this->make_node(std::piecewise_construct, std::forward_as_tuple(std::forward<Key>(key)),
                            std::forward_as_tuple(std::forward<Args>(args)...));
        return {this->link(at, made), true};
    }
    template <class Key, class M>
    std::pair<iterator, bool> assign_at(const spot& at, Key&& key, M&& value) {
        if (at.found == nullptr) {
            return emplace_at(at, std::forward<Key>(key), std::forward<M>(value));
        }
        const iterator found(at.found);
        found->second = std::forward<M>(value);
        gc_moved(std::addressof(found->second), 1);
        return {found, false};
    }
};

template <class K, class Less, bool Multi>
class gc_set_core : public gc_tree_core<gc_set_kind<K>, Less, Multi> {
    using tree = gc_tree_core<gc_set_kind<K>, Less, Multi>;

public:
    using value_compare = Less;

    using tree::tree;
    gc_set_core() = default;

    [[nodiscard]] value_compare value_comp() const { return this->key_comp(); }
};

template <class K, class V, class Less, bool Multi>
using gc_map_base = gc_owner<gc_map_core<K, V, Less, Multi>,
                             gc_needs_destroying<K, gc_map_core<K, V, Less, Multi>> ||
                                 gc_needs_destroying<V, gc_map_core<K, V, Less, Multi>>>;
template <class K, class Less, bool Multi>
using gc_set_base =
    gc_owner<gc_set_core<K, Less, Multi>, gc_needs_destroying<K, gc_set_core<K, Less, Multi>>>;

template <class Kind, class Less, bool Multi>
[[nodiscard]] bool gc_equal_trees(const gc_tree_core<Kind, Less, Multi>& a,
                                  const gc_tree_core<Kind, Less, Multi>& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

// As std::lexicographical_compare_three_way, also for elements that have only <.
template <class Kind, class Less, bool Multi>
[[nodiscard]] auto gc_compare_trees(const gc_tree_core<Kind, Less, Multi>& a,
                                    const gc_tree_core<Kind, Less, Multi>& b) {
    return std::lexicographical_compare_three_way(
        a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
            using value = std::remove_cvref_t<decltype(x)>;
            if constexpr (std::three_way_comparable<value>) {
                return x <=> y;
            } else {
                return x < y   ? std::weak_ordering::less
                       : y < x ? std::weak_ordering::greater
                               : std::weak_ordering::equivalent;
            }
        });
}

}  // namespace weft::detail

/// Maps and sets in the collected heap: see weft::gc::map.
template <class K, class V, class Less>
class std::map<K, V, Less, weft::gc::allocator<std::pair<const K, V>>>
    : public weft::detail::gc_map_base<K, V, Less, false> {
    using base = weft::detail::gc_map_base<K, V, Less, false>;

public:
    using base::base;
    map() = default;
    map& operator=(std::initializer_list<std::pair<const K, V>> values) {
        return *this = map(values, this->key_comp());
    }
    [[nodiscard]] friend bool operator==(const map& a, const map& b) {
        return weft::detail::gc_equal_trees(a, b);
    }
    [[nodiscard]] friend auto operator<=>(const map& a, const map& b) {
        return weft::detail::gc_compare_trees(a, b);
    }
};

template <class K, class V, class Less>
class std::multimap<K, V, Less, weft::gc::allocator<std::pair<const K, V>>>
    : public weft::detail::gc_map_base<K, V, Less, true> {
    using base = weft::detail::gc_map_base<K, V, Less, true>;

public:
    using base::base;
    multimap() = default;
    multimap& operator=(std::initializer_list<std::pair<const K, V>> values) {
        return *this = multimap(values, this->key_comp());
    }
    [[nodiscard]] friend bool operator==(const multimap& a, const multimap& b) {
        return weft::detail::gc_equal_trees(a, b);
    }
    [[nodiscard]] friend auto operator<=>(const multimap& a, const multimap& b) {
        return weft::detail::gc_compare_trees(a, b);
    }
};

template <class K, class Less>
class std::set<K, Less, weft::gc::allocator<K>> : public weft::detail::gc_set_base<K, Less, false> {
    using base = weft::detail::gc_set_base<K, Less, false>;

public:
    using base::base;
    set() = default;
    set& operator=(std::initializer_list<K> values) {
        return *this = set(values, this->key_comp());
    }
    [[nodiscard]] friend bool operator==(const set& a, const set& b) {
        return weft::detail::gc_equal_trees(a, b);
    }
    [[nodiscard]] friend auto operator<=>(const set& a, const set& b) {
        return weft::detail::gc_compare_trees(a, b);
    }
};

template <class K, class Less>
class std::multiset<K, Less, weft::gc::allocator<K>>
    : public weft::detail::gc_set_base<K, Less, true> {
    using base = weft::detail::gc_set_base<K, Less, true>;

public:
    using base::base;
    multiset() = default;
    multiset& operator=(std::initializer_list<K> values) {
        return *this = multiset(values, this->key_comp());
    }
    [[nodiscard]] friend bool operator==(const multiset& a, const multiset& b) {
        return weft::detail::gc_equal_trees(a, b);
    }
    [[nodiscard]] friend auto operator<=>(const multiset& a, const multiset& b) {
        return weft::detail::gc_compare_trees(a, b);
    }
};

namespace weft::detail {
template <class K, class Less>
inline constexpr bool gc_has_barrier<std::multiset<K, Less, gc::allocator<K>>> =
    std::is_empty_v<Less>;
template <class K, class Less>
inline constexpr bool gc_has_barrier<std::set<K, Less, gc::allocator<K>>> = std::is_empty_v<Less>;
template <class K, class V, class Less>
inline constexpr bool
    gc_has_barrier<std::multimap<K, V, Less, gc::allocator<std::pair<const K, V>>>> =
        std::is_empty_v<Less>;
template <class K, class V, class Less>
inline constexpr bool gc_has_barrier<std::map<K, V, Less, gc::allocator<std::pair<const K, V>>>> =
    std::is_empty_v<Less>;
}  // namespace weft::detail

namespace weft::gc {

/// std::map with its nodes in the collected heap: keys and values may hold gc::ptr. Valid on stacks and in objects of
/// the heap. To be filled where make() may be called. As with std::map, many may read it at once, and who writes must
/// be alone.
template <class K, class V, class Less = std::less<K>>
using map = std::map<K, V, Less, allocator<std::pair<const K, V>>>;
/// The same for std::multimap.
template <class K, class V, class Less = std::less<K>>
using multimap = std::multimap<K, V, Less, allocator<std::pair<const K, V>>>;
/// The same for std::set.
template <class K, class Less = std::less<K>>
using set = std::set<K, Less, allocator<K>>;
/// The same for std::multiset.
template <class K, class Less = std::less<K>>
using multiset = std::multiset<K, Less, allocator<K>>;

}  // namespace weft::gc
