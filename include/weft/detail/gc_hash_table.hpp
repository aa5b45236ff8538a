// gc::unordered_map and unordered_set: those of std over gc::allocator. See gc_elements.hpp.
//
//     nodes     front --> [ node ] --> [ node ] --> [ node ] --> [ node ]      one list, those of a bucket beside each other
//                  ^                       ^
//     buckets   [  |  | null | null |      |    ]                              the node *before* the bucket's first one
//
// `front` is the head of the list, in the container itself; the bucket of the first node points to it. To go through
// all elements takes as many steps as there are elements, whatever the number of buckets.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_node_handle.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace weft::detail {

struct gc_hash_links {
    gc::ptr<gc_hash_links> next;
};

template <class T>
struct gc_hash_node : gc_hash_links {
    std::size_t hash = 0;
    gc_place<T> place;
};

template <class T, bool Const>
class gc_hash_iterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<Const, const T&, T&>;
    using pointer = std::conditional_t<Const, const T*, T*>;

    gc_hash_iterator() noexcept = default;
    explicit gc_hash_iterator(gc_hash_links* at) noexcept : at_(at) {}
    template <bool Other>
    requires(Const && !Other) gc_hash_iterator(const gc_hash_iterator<T, Other>& other)
    noexcept : at_(other.links()) {}

    [[nodiscard]] reference operator*() const noexcept {
        return static_cast<gc_hash_node<T>*>(at_)->place.value;
    }
    [[nodiscard]] pointer operator->() const noexcept { return std::addressof(**this); }
    gc_hash_iterator& operator++() noexcept {
        at_ = at_->next.get();
        return *this;
    }
    gc_hash_iterator operator++(int) noexcept {
        const gc_hash_iterator old = *this;
        ++*this;
        return old;
    }
    [[nodiscard]] friend bool operator==(const gc_hash_iterator&,
                                         const gc_hash_iterator&) noexcept = default;

    [[nodiscard]] gc_hash_links* links() const noexcept { return at_; }

private:
    gc_hash_links* at_ = nullptr;
};

template <class Hash, class Equal>
concept gc_transparent_hash = requires {
    typename Hash::is_transparent;
    typename Equal::is_transparent;
};

template <class Kind, class Hash, class Equal>
class gc_hash_core {
    using node = gc_hash_node<typename Kind::value>;
    using bucket_word = gc::ptr<gc_hash_links>;

public:
    using key_type = typename Kind::key;
    using value_type = typename Kind::value;
    using hasher = Hash;
    using key_equal = Equal;
    using allocator_type = gc::allocator<value_type>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = value_type&;
    using const_reference = const value_type&;
    using pointer = value_type*;
    using const_pointer = const value_type*;
    using const_iterator = gc_hash_iterator<value_type, true>;
    using iterator =
        std::conditional_t<Kind::is_map, gc_hash_iterator<value_type, false>, const_iterator>;
    using node_type = gc_node_handle<node, Kind>;
    using insert_return_type = gc_insert_return<iterator, node_type>;

    gc_hash_core() = default;
    explicit gc_hash_core(size_type buckets, const Hash& hash = Hash(),
                          const Equal& equal = Equal(), const allocator_type& = {})
        : hash_(hash), equal_(equal) {
        if (buckets != 0) rehash(buckets);
    }
    explicit gc_hash_core(const allocator_type&) {}
    gc_hash_core(size_type buckets, const allocator_type&) : gc_hash_core(buckets) {}
    template <gc_input_iterator It>
    gc_hash_core(It first, It last, size_type buckets = 0, const Hash& hash = Hash(),
                 const Equal& equal = Equal(), const allocator_type& = {})
        : gc_hash_core(buckets, hash, equal) {
        building made{*this};
        insert(first, last);
        made.done = true;
    }
    gc_hash_core(std::initializer_list<value_type> values, size_type buckets = 0,
                 const Hash& hash = Hash(), const Equal& equal = Equal(),
                 const allocator_type& = {})
        : gc_hash_core(values.begin(), values.end(), buckets, hash, equal) {}
    gc_hash_core(const gc_hash_core& other)
        : hash_(other.hash_), equal_(other.equal_), max_load_(other.max_load_) {
        building made{*this};
        copy_from(other);
        made.done = true;
    }
    gc_hash_core(const gc_hash_core& other, const allocator_type&) : gc_hash_core(other) {}
    gc_hash_core(gc_hash_core&& other) noexcept(
        std::is_nothrow_copy_constructible_v<Hash>&& std::is_nothrow_copy_constructible_v<Equal>)
        : hash_(other.hash_), equal_(other.equal_) {
        take(other);
    }
    gc_hash_core(gc_hash_core&& other, const allocator_type&) : gc_hash_core(std::move(other)) {}

    gc_hash_core& operator=(const gc_hash_core& other) {
        if (this != &other) {
            gc_hash_core fresh(other);
            hash_ = other.hash_;
            equal_ = other.equal_;
            become(fresh);
        }
        return *this;
    }
    gc_hash_core& operator=(gc_hash_core&& other) noexcept(
        std::is_nothrow_copy_assignable_v<Hash>&& std::is_nothrow_copy_assignable_v<Equal>) {
        if (this != &other) {
            hash_ = other.hash_;
            equal_ = other.equal_;
            become(other);
        }
        return *this;
    }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    [[nodiscard]] hasher hash_function() const { return hash_; }
    [[nodiscard]] key_equal key_eq() const { return equal_; }

    [[nodiscard]] iterator begin() noexcept { return iterator(front_.next.get()); }
    [[nodiscard]] const_iterator begin() const noexcept {
        return const_iterator(front_.next.get());
    }
    [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
    [[nodiscard]] iterator end() noexcept { return iterator(); }
    [[nodiscard]] const_iterator end() const noexcept { return const_iterator(); }
    [[nodiscard]] const_iterator cend() const noexcept { return end(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] size_type size() const noexcept { return size_; }
    [[nodiscard]] size_type max_size() const noexcept { return PTRDIFF_MAX / sizeof(node); }

    [[nodiscard]] size_type bucket_count() const noexcept { return bucket_count_; }
    [[nodiscard]] size_type max_bucket_count() const noexcept {
        return PTRDIFF_MAX / 4 / sizeof(bucket_word);
    }
    [[nodiscard]] size_type bucket(const key_type& key) const { return index(hash_of(key)); }
    [[nodiscard]] size_type bucket_size(size_type number) const noexcept {
        size_type n = 0;
        for (gc_hash_links* at = first_of(number); at != nullptr && index_of(at) == number;
             at = at->next.get()) {
            ++n;
        }
        return n;
    }
    [[nodiscard]] float load_factor() const noexcept {
        return bucket_count_ == 0 ? 0
                                  : static_cast<float>(size_) / static_cast<float>(bucket_count_);
    }
    [[nodiscard]] float max_load_factor() const noexcept { return max_load_; }
    void max_load_factor(float most) { max_load_ = most; }
    void rehash(size_type buckets) {
        const size_type n = std::bit_ceil(std::max({buckets, buckets_for(size_), size_type{8}}));
        if (n != bucket_count_) rebuild(n);
    }
    void reserve(size_type elements) { rehash(buckets_for(elements)); }

    void clear() noexcept {
        gc_hash_links* at = front_.next.get();
        front_.next = nullptr;
        size_ = 0;
        bucket_word* const b = buckets_.get();
        for (size_type i = 0; i != bucket_count_; ++i) b[i] = nullptr;
        while (at != nullptr) {
            auto* const gone = static_cast<node*>(at);
            at = at->next.get();
            drop(gone);
        }
    }

    template <class... Args>
    std::pair<iterator, bool> emplace(Args&&... args) {
        unlinked made{make_node(std::forward<Args>(args)...)};
        const key_type& key = Kind::key_of(made.one->place.value);
        const std::size_t hash = hash_of(key);
        if (node* const there = find_node(key, hash)) return {iterator(there), false};
        make_room();
        return {link(made.release(), hash), true};
    }
    template <class... Args>
    iterator emplace_hint(const_iterator, Args&&... args) {
        return emplace(std::forward<Args>(args)...).first;
    }
    std::pair<iterator, bool> insert(const value_type& value) { return insert_value(value); }
    std::pair<iterator, bool> insert(value_type&& value) { return insert_value(std::move(value)); }
    template <class P>
    requires(Kind::is_map&& std::is_constructible_v<value_type, P&&> &&
             !std::same_as<std::remove_cvref_t<P>, value_type> &&
             !std::same_as<std::remove_cvref_t<P>, node_type>)
        std::pair<iterator, bool> insert(P&& value) {
        return emplace(std::forward<P>(value));
    }
    iterator insert(const_iterator, const value_type& value) { return insert(value).first; }
    iterator insert(const_iterator, value_type&& value) { return insert(std::move(value)).first; }
    template <gc_input_iterator It>
    void insert(It first, It last) {
        for (; first != last; ++first) emplace(*first);
    }
    void insert(std::initializer_list<value_type> values) { insert(values.begin(), values.end()); }
    insert_return_type insert(node_type&& handle) {
        if (handle.empty()) return {end(), false, {}};
        const key_type& key = Kind::key_of(handle.get()->place.value);
        const std::size_t hash = hash_of(key);
        if (node* const there = find_node(key, hash)) {
            return {iterator(there), false, std::move(handle)};
        }
        make_room();
        return {link(handle.release(), hash), true, {}};
    }
    iterator insert(const_iterator, node_type&& handle) {
        insert_return_type done = insert(std::move(handle));
        if (!done.inserted) handle = std::move(done.node);
        return done.position;
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
    /// Takes those elements of `other` over that are not here, as nodes: no element is moved.
    template <class OtherHash, class OtherEqual>
    void merge(gc_hash_core<Kind, OtherHash, OtherEqual>& other) {
        if constexpr (std::is_same_v<gc_hash_core, gc_hash_core<Kind, OtherHash, OtherEqual>>) {
            if (this == &other) return;
        }
        for (auto at = other.begin(); at != other.end();) {
            const auto one = at++;
            const std::size_t hash = hash_of(Kind::key_of(*one));
            if (find_node(Kind::key_of(*one), hash) != nullptr) continue;
            make_room();
            link(other.extract(one).release(), hash);
        }
    }
    template <class OtherHash, class OtherEqual>
    void merge(gc_hash_core<Kind, OtherHash, OtherEqual>&& other) {
        merge(other);
    }

    iterator erase(const_iterator at) noexcept {
        auto* const gone = static_cast<node*>(at.links());
        const iterator after(gone->next.get());
        unlink(gone);
        drop(gone);
        return after;
    }
    iterator erase(iterator at) noexcept requires(!std::same_as<iterator, const_iterator>) {
        return erase(const_iterator(at));
    }
    iterator erase(const_iterator first, const_iterator last) noexcept {
        while (first != last) first = erase(first);
        return iterator(last.links());
    }
    size_type erase(const key_type& key) {
        const const_iterator at = find(key);
        if (at == end()) return 0;
        erase(at);
        return 1;
    }
    void swap(gc_hash_core& other) noexcept(
        std::is_nothrow_swappable_v<Hash>&& std::is_nothrow_swappable_v<Equal>) {
        using std::swap;
        swap(hash_, other.hash_);
        swap(equal_, other.equal_);
        swap(max_load_, other.max_load_);
        front_.next.swap(other.front_.next);
        buckets_.swap(other.buckets_);
        swap(bucket_count_, other.bucket_count_);
        swap(shift_, other.shift_);
        swap(size_, other.size_);
        adopt_front();
        other.adopt_front();
    }

    [[nodiscard]] iterator find(const key_type& key) { return iterator(find_node(key)); }
    [[nodiscard]] const_iterator find(const key_type& key) const {
        return const_iterator(find_node(key));
    }
    [[nodiscard]] bool contains(const key_type& key) const { return find_node(key) != nullptr; }
    [[nodiscard]] size_type count(const key_type& key) const { return contains(key) ? 1 : 0; }
    [[nodiscard]] std::pair<iterator, iterator> equal_range(const key_type& key) {
        const iterator at = find(key);
        return {at, at == end() ? at : std::next(at)};
    }
    [[nodiscard]] std::pair<const_iterator, const_iterator> equal_range(const key_type& key) const {
        const const_iterator at = find(key);
        return {at, at == end() ? at : std::next(at)};
    }
    // For hashes and comparisons that say is_transparent.
    template <class K>
    requires gc_transparent_hash<Hash, Equal>
    [[nodiscard]] iterator find(const K& key) { return iterator(find_node(key)); }
    template <class K>
    requires gc_transparent_hash<Hash, Equal>
    [[nodiscard]] const_iterator find(const K& key) const { return const_iterator(find_node(key)); }
    template <class K>
    requires gc_transparent_hash<Hash, Equal>
    [[nodiscard]] bool contains(const K& key) const { return find_node(key) != nullptr; }
    template <class K>
    requires gc_transparent_hash<Hash, Equal>
    [[nodiscard]] size_type count(const K& key) const { return contains(key) ? 1 : 0; }

protected:
    template <class K>
    [[nodiscard]] std::size_t hash_of(const K& key) const {
        return hash_(key);
    }
    template <class K>
    [[nodiscard]] node* find_node(const K& key) const {
        return size_ == 0 ? nullptr : find_node(key, hash_of(key));
    }
    template <class K>
    [[nodiscard]] node* find_node(const K& key, std::size_t hash) const {
        if (size_ == 0) return nullptr;
        const size_type number = index(hash);
        for (gc_hash_links* at = first_of(number); at != nullptr; at = at->next.get()) {
            auto* const n = static_cast<node*>(at);
            if (n->hash == hash && equal_(key, Kind::key_of(n->place.value))) return n;
            if (index(n->hash) != number) break;
        }
        return nullptr;
    }
    template <class... Args>
    node* make_node(Args&&... args) {
        void* const memory = gc_allocate_node<node>();
        node* const made = ::new (memory) node;
        gc_construct_shaded<value_type>(std::addressof(made->place.value),
                                        std::forward<Args>(args)...);
        return made;
    }
    /// Room in the buckets for one more element.
    void make_room() {
        if (bucket_count_ == 0 ||
            static_cast<float>(size_ + 1) > max_load_ * static_cast<float>(bucket_count_)) {
            rebuild(std::max<size_type>(8, 2 * bucket_count_));
        }
    }
    iterator link(node* one, std::size_t hash) noexcept {
        one->hash = hash;
        bucket_word& b = buckets_.get()[index(hash)];
        if (gc_hash_links* const before = b.get()) {
            one->next = before->next.get();
            before->next = one;
        } else {
            gc_hash_links* const second = front_.next.get();
            one->next = second;
            front_.next = one;
            b = front();
            if (second != nullptr) buckets_.get()[index_of(second)] = one;
        }
        ++size_;
        return iterator(one);
    }

    void destroy_elements() noexcept {
        if constexpr (!std::is_trivially_destructible_v<value_type>) {
            for (gc_hash_links* n = front_.next.get(); n != nullptr; n = n->next.get()) {
                gc_destroy_value(static_cast<node*>(n)->place.value);
            }
        }
    }

private:
    struct building {
        gc_hash_core& table;
        bool done = false;
        ~building() {
            if (!done) table.clear();
        }
    };
    // A node that is not in the table yet, in case that a hash or a comparison throws.
    struct unlinked {
        node* one;
        ~unlinked() {
            if (one != nullptr) drop(one);
        }
        node* release() noexcept { return std::exchange(one, nullptr); }
    };

    [[nodiscard]] gc_hash_links* front() const noexcept {
        return const_cast<gc_hash_links*>(&front_);
    }
    // The high bits of a product: what std::hash leaves in the low bits, as of integers and pointers, is spread.
    [[nodiscard]] size_type index(std::size_t hash) const noexcept {
        return static_cast<size_type>((static_cast<std::uint64_t>(hash) * 0x9e3779b97f4a7c15u) >>
                                      shift_);
    }
    [[nodiscard]] size_type index_of(const gc_hash_links* n) const noexcept {
        return index(static_cast<const node*>(n)->hash);
    }
    [[nodiscard]] gc_hash_links* first_of(size_type number) const noexcept {
        const gc_hash_links* const before = buckets_.get()[number].get();
        return before == nullptr ? nullptr : before->next.get();
    }
    [[nodiscard]] size_type buckets_for(size_type elements) const noexcept {
        return static_cast<size_type>(static_cast<float>(elements) / max_load_ + 0.999f);
    }

    // The links move from bucket to bucket. All nodes stay in the list, or hang on a local, at every moment.
    void rebuild(size_type n) {
        bucket_word* const fresh = gc_allocate_buffer<bucket_word>(n);
        gc_hash_links* at = front_.next.get();
        buckets_ = fresh;
        bucket_count_ = n;
        shift_ = static_cast<unsigned>(64 - std::countr_zero(n));
        front_.next = nullptr;
        size_ = 0;
        while (at != nullptr) {
            auto* const one = static_cast<node*>(at);
            at = at->next.get();
            link(one, one->hash);
        }
    }
    void unlink(node* one) noexcept {
        bucket_word* const b = buckets_.get();
        const size_type number = index(one->hash);
        gc_hash_links* before = b[number].get();
        while (before->next.get() != one) before = before->next.get();
        gc_hash_links* const after = one->next.get();
        const size_type number_after = after == nullptr ? bucket_count_ : index_of(after);
        // If the bucket has no other node it is empty now, and what begins behind it has another one before it.
        if (before == b[number].get() && number_after != number) b[number] = nullptr;
        if (after != nullptr && number_after != number) b[number_after] = before;
        before->next = after;
        --size_;
    }
    static void drop(node* gone) noexcept {
        gc_destroy_value(gone->place.value);
        gc_wipe_node(gone);
    }
    void adopt_front() noexcept {
        if (gc_hash_links* const first = front_.next.get()) {
            buckets_.get()[index_of(first)] = front();
        }
    }
    // Ours is empty.
    void take(gc_hash_core& other) noexcept {
        front_.next = std::move(other.front_.next);
        buckets_ = std::move(other.buckets_);
        bucket_count_ = std::exchange(other.bucket_count_, 0);
        shift_ = other.shift_;
        size_ = std::exchange(other.size_, 0);
        max_load_ = other.max_load_;
        adopt_front();
    }
    void become(gc_hash_core& fresh) noexcept {
        clear();
        take(fresh);
    }
    template <class V>
    std::pair<iterator, bool> insert_value(V&& value) {
        const key_type& key = Kind::key_of(value);
        const std::size_t hash = hash_of(key);
        if (node* const there = find_node(key, hash)) return {iterator(there), false};
        make_room();
        return {link(make_node(std::forward<V>(value)), hash), true};
    }
    void copy_from(const gc_hash_core& other) {
        if (other.size_ == 0) return;
        rebuild(other.bucket_count_);
        for (gc_hash_links* n = other.front_.next.get(); n != nullptr; n = n->next.get()) {
            const auto* const one = static_cast<const node*>(n);
            link(make_node(one->place.value), one->hash);
        }
    }

    [[no_unique_address]] Hash hash_{};
    [[no_unique_address]] Equal equal_{};
    gc_hash_links front_;
    gc::ptr<bucket_word> buckets_;
    size_type bucket_count_ = 0;  // A power of two, or 0: no buckets yet.
    size_type size_ = 0;
    unsigned shift_ = 63;
    float max_load_ = 1;
};

template <class K, class V, class Hash, class Equal>
class gc_hash_map_core : public gc_hash_core<gc_map_kind<K, V>, Hash, Equal> {
    using table = gc_hash_core<gc_map_kind<K, V>, Hash, Equal>;

public:
    using mapped_type = V;
    using typename table::const_iterator;
    using typename table::iterator;

    using table::table;
    gc_hash_map_core() = default;

    V& operator[](const K& key) { return try_emplace(key).first->second; }
    V& operator[](K&& key) { return try_emplace(std::move(key)).first->second; }
    [[nodiscard]] V& at(const K& key) {
        const iterator found = this->find(key);
        if (found == this->end()) throw std::out_of_range("weft::gc::unordered_map::at");
        return found->second;
    }
    [[nodiscard]] const V& at(const K& key) const {
        const const_iterator found = this->find(key);
        if (found == this->end()) throw std::out_of_range("weft::gc::unordered_map::at");
        return found->second;
    }
    template <class... Args>
    std::pair<iterator, bool> try_emplace(const K& key, Args&&... args) {
        return emplace_key(key, std::forward<Args>(args)...);
    }
    template <class... Args>
    std::pair<iterator, bool> try_emplace(K&& key, Args&&... args) {
        return emplace_key(std::move(key), std::forward<Args>(args)...);
    }
    template <class... Args>
    iterator try_emplace(const_iterator, const K& key, Args&&... args) {
        return emplace_key(key, std::forward<Args>(args)...).first;
    }
    template <class... Args>
    iterator try_emplace(const_iterator, K&& key, Args&&... args) {
        return emplace_key(std::move(key), std::forward<Args>(args)...).first;
    }
    template <class M>
    std::pair<iterator, bool> insert_or_assign(const K& key, M&& value) {
        return assign_key(key, std::forward<M>(value));
    }
    template <class M>
    std::pair<iterator, bool> insert_or_assign(K&& key, M&& value) {
        return assign_key(std::move(key), std::forward<M>(value));
    }
    template <class M>
    iterator insert_or_assign(const_iterator, const K& key, M&& value) {
        return assign_key(key, std::forward<M>(value)).first;
    }
    template <class M>
    iterator insert_or_assign(const_iterator, K&& key, M&& value) {
        return assign_key(std::move(key), std::forward<M>(value)).first;
    }

private:
    template <class Key, class... Args>
    std::pair<iterator, bool> emplace_key(Key&& key, Args&&... args) {
        const std::size_t hash = this->hash_of(key);
        if (auto* const there = this->find_node(key, hash)) return {iterator(there), false};
        this->make_room();
        auto* const made =
            this->make_node(std::piecewise_construct, std::forward_as_tuple(std::forward<Key>(key)),
                            std::forward_as_tuple(std::forward<Args>(args)...));
        return {this->link(made, hash), true};
    }
    template <class Key, class M>
    std::pair<iterator, bool> assign_key(Key&& key, M&& value) {
        if (auto* const there = this->find_node(key)) {
            V& old = there->place.value.second;
            old = std::forward<M>(value);
            gc_moved(std::addressof(old), 1);
            return {iterator(there), false};
        }
        return emplace_key(std::forward<Key>(key), std::forward<M>(value));
    }
};

template <class K, class V, class Hash, class Equal>
using gc_hash_map_base = gc_owner<gc_hash_map_core<K, V, Hash, Equal>,
                                  gc_needs_destroying<K, gc_hash_map_core<K, V, Hash, Equal>> ||
                                      gc_needs_destroying<V, gc_hash_map_core<K, V, Hash, Equal>>>;
template <class K, class Hash, class Equal>
using gc_hash_set_base =
    gc_owner<gc_hash_core<gc_set_kind<K>, Hash, Equal>,
             gc_needs_destroying<K, gc_hash_core<gc_set_kind<K>, Hash, Equal>>>;

template <class Kind, class Hash, class Equal>
[[nodiscard]] bool gc_equal_tables(const gc_hash_core<Kind, Hash, Equal>& a,
                                   const gc_hash_core<Kind, Hash, Equal>& b) {
    return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&b](const auto& one) {
               const auto other = b.find(Kind::key_of(one));
               return other != b.end() && *other == one;
           });
}

}  // namespace weft::detail

/// Hash tables in the collected heap: see weft::gc::unordered_map.
template <class K, class V, class Hash, class Equal>
class std::unordered_map<K, V, Hash, Equal, weft::gc::allocator<std::pair<const K, V>>>
    : public weft::detail::gc_hash_map_base<K, V, Hash, Equal> {
    using base = weft::detail::gc_hash_map_base<K, V, Hash, Equal>;

public:
    using base::base;
    unordered_map() = default;
    unordered_map& operator=(std::initializer_list<std::pair<const K, V>> values) {
        return *this = unordered_map(values, 0, this->hash_function(), this->key_eq());
    }
    [[nodiscard]] friend bool operator==(const unordered_map& a, const unordered_map& b) {
        return weft::detail::gc_equal_tables(a, b);
    }
};

template <class K, class Hash, class Equal>
class std::unordered_set<K, Hash, Equal, weft::gc::allocator<K>>
    : public weft::detail::gc_hash_set_base<K, Hash, Equal> {
    using base = weft::detail::gc_hash_set_base<K, Hash, Equal>;

public:
    using base::base;
    unordered_set() = default;
    unordered_set& operator=(std::initializer_list<K> values) {
        return *this = unordered_set(values, 0, this->hash_function(), this->key_eq());
    }
    [[nodiscard]] friend bool operator==(const unordered_set& a, const unordered_set& b) {
        return weft::detail::gc_equal_tables(a, b);
    }
};

namespace weft::detail {
template <class K, class Hash, class Equal>
inline constexpr bool gc_has_barrier<std::unordered_set<K, Hash, Equal, gc::allocator<K>>> =
    std::is_empty_v<Hash>&& std::is_empty_v<Equal>;
template <class K, class V, class Hash, class Equal>
inline constexpr bool
    gc_has_barrier<std::unordered_map<K, V, Hash, Equal, gc::allocator<std::pair<const K, V>>>> =
        std::is_empty_v<Hash>&& std::is_empty_v<Equal>;
}  // namespace weft::detail

namespace weft::gc {

/// std::unordered_map with nodes and buckets in the collected heap: keys and values may hold gc::ptr. Valid on stacks
/// and in objects of the heap. To be filled where make() may be called. Objects do not move, so a gc::ptr is a key as
/// good as any.
template <class K, class V, class Hash = std::hash<K>, class Equal = std::equal_to<K>>
using unordered_map = std::unordered_map<K, V, Hash, Equal, allocator<std::pair<const K, V>>>;
/// The same for std::unordered_set.
template <class K, class Hash = std::hash<K>, class Equal = std::equal_to<K>>
using unordered_set = std::unordered_set<K, Hash, Equal, allocator<K>>;

}  // namespace weft::gc
