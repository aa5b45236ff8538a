// gc::list: std::list over gc::allocator. See gc_elements.hpp.
//
//        .------> [ header ] <------.          The header lies in the list object itself, so an empty list has
//        v                          v          no memory of its own, and end() never changes.
//     [ node ] <---> [ node ] <---> [ node ]
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <list>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft::detail {

struct gc_list_links {
    gc::ptr<gc_list_links> next;
    gc::ptr<gc_list_links> previous;

    /// Links this, which is in no list, before `at`.
    void hook(gc_list_links* at) noexcept {
        gc_list_links* const before = at->previous.get();
        next = at;
        previous = before;
        before->next = this;
        at->previous = this;
    }
    void unhook() noexcept {
        gc_list_links* const before = previous.get();
        gc_list_links* const after = next.get();
        before->next = after;
        after->previous = before;
    }
    /// Moves [first, last), of any list, before this, which is not in it.
    void transfer(gc_list_links* first, gc_list_links* last) noexcept {
        if (first == last) return;
        gc_list_links* const end = last->previous.get();
        gc_list_links* const gap = first->previous.get();
        gap->next = last;
        last->previous = gap;
        gc_list_links* const before = previous.get();
        before->next = first;
        first->previous = before;
        end->next = this;
        previous = end;
    }
};

template <class T>
struct gc_list_node : gc_list_links {
    gc_place<T> place;
};

template <class T, bool Const>
class gc_list_iterator {
public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<Const, const T&, T&>;
    using pointer = std::conditional_t<Const, const T*, T*>;

    gc_list_iterator() noexcept = default;
    explicit gc_list_iterator(gc_list_links* at) noexcept : at_(at) {}
    template <bool Other>
    requires(Const && !Other) gc_list_iterator(const gc_list_iterator<T, Other>& other)
    noexcept : at_(other.links()) {}

    [[nodiscard]] reference operator*() const noexcept {
        return static_cast<gc_list_node<T>*>(at_)->place.value;
    }
    [[nodiscard]] pointer operator->() const noexcept { return std::addressof(**this); }
    gc_list_iterator& operator++() noexcept {
        at_ = at_->next.get();
        return *this;
    }
    gc_list_iterator operator++(int) noexcept {
        const gc_list_iterator old = *this;
        ++*this;
        return old;
    }
    gc_list_iterator& operator--() noexcept {
        at_ = at_->previous.get();
        return *this;
    }
    gc_list_iterator operator--(int) noexcept {
        const gc_list_iterator old = *this;
        --*this;
        return old;
    }
    [[nodiscard]] friend bool operator==(const gc_list_iterator&,
                                         const gc_list_iterator&) noexcept = default;

    [[nodiscard]] gc_list_links* links() const noexcept { return at_; }

private:
    gc_list_links* at_ = nullptr;
};

template <class T>
class gc_list_core {
    using node = gc_list_node<T>;

public:
    using value_type = T;
    using allocator_type = gc::allocator<T>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using const_reference = const T&;
    using pointer = T*;
    using const_pointer = const T*;
    using iterator = gc_list_iterator<T, false>;
    using const_iterator = gc_list_iterator<T, true>;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;

    gc_list_core() noexcept { reset(); }
    explicit gc_list_core(const allocator_type&) noexcept { reset(); }
    explicit gc_list_core(size_type n, const allocator_type& = {}) {
        reset();
        building made{*this};
        for (; n != 0; --n) emplace_back();
        made.done = true;
    }
    gc_list_core(size_type n, const T& value, const allocator_type& = {}) {
        reset();
        building made{*this};
        for (; n != 0; --n) emplace_back(value);
        made.done = true;
    }
    template <gc_input_iterator It>
    gc_list_core(It first, It last, const allocator_type& = {}) {
        reset();
        building made{*this};
        for (; first != last; ++first) emplace_back(*first);
        made.done = true;
    }
    gc_list_core(std::initializer_list<T> values, const allocator_type& = {})
        : gc_list_core(values.begin(), values.end()) {}
    gc_list_core(const gc_list_core& other) : gc_list_core(other.begin(), other.end()) {}
    gc_list_core(const gc_list_core& other, const allocator_type&) : gc_list_core(other) {}
    gc_list_core(gc_list_core&& other) noexcept {
        reset();
        take(other);
    }
    gc_list_core(gc_list_core&& other, const allocator_type&) noexcept
        : gc_list_core(std::move(other)) {}

    gc_list_core& operator=(const gc_list_core& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    gc_list_core& operator=(gc_list_core&& other) noexcept {
        if (this != &other) {
            clear();
            take(other);
        }
        return *this;
    }

    void assign(size_type n, const T& value) {
        gc_list_core fresh(n, value);
        become(fresh);
    }
    template <gc_input_iterator It>
    void assign(It first, It last) {
        gc_list_core fresh(first, last);
        become(fresh);
    }
    void assign(std::initializer_list<T> values) { assign(values.begin(), values.end()); }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

    [[nodiscard]] reference front() noexcept { return *begin(); }
    [[nodiscard]] const_reference front() const noexcept { return *begin(); }
    [[nodiscard]] reference back() noexcept { return *--end(); }
    [[nodiscard]] const_reference back() const noexcept { return *--end(); }

    [[nodiscard]] iterator begin() noexcept { return iterator(header_.next.get()); }
    [[nodiscard]] const_iterator begin() const noexcept {
        return const_iterator(header_.next.get());
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
        gc_list_links* at = header_.next.get();
        reset();
        while (at != header()) {
            auto* const gone = static_cast<node*>(at);
            at = at->next.get();
            drop(gone);
        }
    }
    template <class... Args>
    iterator emplace(const_iterator at, Args&&... args) {
        node* const made = make_node(std::forward<Args>(args)...);
        made->hook(at.links());
        ++size_;
        return iterator(made);
    }
    iterator insert(const_iterator at, const T& value) { return emplace(at, value); }
    iterator insert(const_iterator at, T&& value) { return emplace(at, std::move(value)); }
    iterator insert(const_iterator at, size_type n, const T& value) {
        gc_list_core fresh(n, value);
        return insert_all(at, fresh);
    }
    template <gc_input_iterator It>
    iterator insert(const_iterator at, It first, It last) {
        gc_list_core fresh(first, last);
        return insert_all(at, fresh);
    }
    iterator insert(const_iterator at, std::initializer_list<T> values) {
        return insert(at, values.begin(), values.end());
    }
    iterator erase(const_iterator at) noexcept {
        auto* const gone = static_cast<node*>(at.links());
        const iterator after(gone->next.get());
        gone->unhook();
        --size_;
        drop(gone);
        return after;
    }
    iterator erase(const_iterator first, const_iterator last) noexcept {
        while (first != last) first = erase(first);
        return iterator(last.links());
    }
    template <class... Args>
    reference emplace_back(Args&&... args) {
        return *emplace(end(), std::forward<Args>(args)...);
    }
    template <class... Args>
    reference emplace_front(Args&&... args) {
        return *emplace(begin(), std::forward<Args>(args)...);
    }
    void push_back(const T& value) { emplace(end(), value); }
    void push_back(T&& value) { emplace(end(), std::move(value)); }
    void push_front(const T& value) { emplace(begin(), value); }
    void push_front(T&& value) { emplace(begin(), std::move(value)); }
    void pop_back() noexcept { erase(--end()); }
    void pop_front() noexcept { erase(begin()); }
    void resize(size_type n) {
        while (size_ > n) pop_back();
        if (n > size_) {
            gc_list_core fresh(n - size_);
            insert_all(end(), fresh);
        }
    }
    void resize(size_type n, const T& value) {
        while (size_ > n) pop_back();
        if (n > size_) insert(end(), n - size_, value);
    }
    void swap(gc_list_core& other) noexcept {
        gc_list_core mine;
        mine.take(*this);
        take(other);
        other.take(mine);
    }

    void splice(const_iterator at, gc_list_core& other) noexcept {
        if (this == &other || other.empty()) return;
        at.links()->transfer(other.header_.next.get(), other.header());
        size_ += std::exchange(other.size_, 0);
    }
    void splice(const_iterator at, gc_list_core&& other) noexcept { splice(at, other); }
    void splice(const_iterator at, gc_list_core& other, const_iterator one) noexcept {
        gc_list_links* const after = one.links()->next.get();
        if (at.links() == one.links() || at.links() == after) return;
        at.links()->transfer(one.links(), after);
        ++size_;
        --other.size_;
    }
    void splice(const_iterator at, gc_list_core&& other, const_iterator one) noexcept {
        splice(at, other, one);
    }
    void splice(const_iterator at, gc_list_core& other, const_iterator first,
                const_iterator last) noexcept {
        if (this != &other) {
            const auto n = static_cast<size_type>(std::distance(first, last));
            size_ += n;
            other.size_ -= n;
        }
        at.links()->transfer(first.links(), last.links());
    }
    void splice(const_iterator at, gc_list_core&& other, const_iterator first,
                const_iterator last) noexcept {
        splice(at, other, first, last);
    }

    size_type remove(const T& value) {
        gc_list_core gone;  // Destroyed at the end: `value` may be one of ours.
        const collector_of collect{gone};
        for (iterator at = begin(); at != end();) {
            const iterator one = at++;
            if (*one == value) gone.splice(gone.end(), *this, one);
        }
        return gone.size();
    }
    template <class Predicate>
    size_type remove_if(Predicate predicate) {
        gc_list_core gone;
        const collector_of collect{gone};
        for (iterator at = begin(); at != end();) {
            const iterator one = at++;
            if (predicate(*one)) gone.splice(gone.end(), *this, one);
        }
        return gone.size();
    }
    size_type unique() { return unique(std::equal_to<T>()); }
    template <class Predicate>
    size_type unique(Predicate predicate) {
        gc_list_core gone;
        const collector_of collect{gone};
        if (empty()) return 0;
        for (iterator at = begin(), next = std::next(at); next != end(); next = std::next(at)) {
            if (predicate(*at, *next)) {
                gone.splice(gone.end(), *this, next);
            } else {
                at = next;
            }
        }
        return gone.size();
    }
    void merge(gc_list_core& other) { merge(other, std::less<T>()); }
    void merge(gc_list_core&& other) { merge(other, std::less<T>()); }
    template <class Less>
    void merge(gc_list_core&& other, Less less) {
        merge(other, less);
    }
    template <class Less>
    void merge(gc_list_core& other, Less less) {
        if (this == &other) return;
        iterator at = begin();
        while (at != end() && !other.empty()) {
            if (less(*other.begin(), *at)) {
                splice(at, other, other.begin());
            } else {
                ++at;
            }
        }
        splice(end(), other);
    }
    void sort() { sort(std::less<T>()); }
    /// Stable.
    template <class Less>
    void sort(Less less) {
        if (size_ < 2) return;
        gc_list_core second;
        const returned_to give_back{*this, second};  // If `less` throws, no element is lost.
        second.splice(second.begin(), *this, begin(),
                      std::next(begin(), static_cast<difference_type>(size_ / 2)));
        second.sort(less);
        sort(less);
        second.merge(*this, less);
    }
    void reverse() noexcept {
        gc_list_links* at = header();
        do {
            gc_list_links* const next = at->next.get();
            at->next = at->previous.get();
            at->previous = next;
            at = next;
        } while (at != header());
    }

protected:
    void destroy_elements() noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>) {
            for (T& value : *this) gc_destroy_value(value);
        }
    }

private:
    // A constructor's work: what it has made so far goes if the next element throws.
    struct building {
        gc_list_core& list;
        bool done = false;
        ~building() {
            if (!done) list.clear();
        }
    };
    struct collector_of {
        gc_list_core& list;
        ~collector_of() { list.clear(); }
    };
    struct returned_to {
        gc_list_core& home;
        gc_list_core& guest;
        ~returned_to() { home.splice(home.begin(), guest); }
    };

    [[nodiscard]] gc_list_links* header() const noexcept {
        return const_cast<gc_list_links*>(&header_);
    }
    void reset() noexcept {
        header_.next = header_.previous = header();
        size_ = 0;
    }
    // Ours is empty.
    void take(gc_list_core& other) noexcept {
        if (other.empty()) return;
        gc_list_links* const first = other.header_.next.get();
        gc_list_links* const last = other.header_.previous.get();
        header_.next = first;
        header_.previous = last;
        first->previous = header();
        last->next = header();
        size_ = other.size_;
        other.reset();
    }
    void become(gc_list_core& fresh) noexcept {
        clear();
        take(fresh);
    }
    iterator insert_all(const_iterator at, gc_list_core& fresh) noexcept {
        if (fresh.empty()) return iterator(at.links());
        const iterator first = fresh.begin();
        splice(at, fresh);
        return first;
    }
    template <class... Args>
    node* make_node(Args&&... args) {
        void* const memory = gc_allocate_node<node>();
        node* const made = ::new (memory) node;
        gc_construct_shaded<T>(std::addressof(made->place.value), std::forward<Args>(args)...);
        return made;
    }
    static void drop(node* gone) noexcept {
        gc_destroy_value(gone->place.value);
        gc_wipe_node(gone);
    }

    gc_list_links header_;
    size_type size_ = 0;
};

template <class T>
using gc_list_base = gc_owner<gc_list_core<T>, gc_needs_destroying<T, gc_list_core<T>>>;

}  // namespace weft::detail

/// A list in the collected heap: see weft::gc::list.
template <class T>
class std::list<T, weft::gc::allocator<T>> : public weft::detail::gc_list_base<T> {
    using base = weft::detail::gc_list_base<T>;

public:
    using base::base;
    list() = default;
    list& operator=(std::initializer_list<T> values) {
        this->assign(values);
        return *this;
    }
};

namespace weft::detail {
template <class T>
inline constexpr bool gc_has_barrier<std::list<T, gc::allocator<T>>> = true;
}  // namespace weft::detail

namespace weft::gc {

/// std::list with its nodes in the collected heap: elements may hold gc::ptr. Valid on stacks and in objects of the
/// heap.
template <class T>
using list = std::list<T, allocator<T>>;

}  // namespace weft::gc
