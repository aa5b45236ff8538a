// gc::deque: std::deque over gc::allocator. See gc_elements.hpp.
//
//     map      [ null | null | block | block | block | null ]          gc::ptr<T> each
//                              |       |       |
//     blocks            [ ..TTT ] [ TTTTT ] [ TT... ]                  elements never move
//
// `start_` is the place of the first element, counted from the beginning of the first block of the map. The block at
// the place past the last element is always there, so that end() is an address in it; in a deque that never had an
// element there is no map.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace weft::detail {

// A function, because T may be incomplete where the deque is declared.
template <class T>
[[nodiscard]] constexpr std::ptrdiff_t gc_deque_block() noexcept {
    return sizeof(T) >= 256 ? 2 : static_cast<std::ptrdiff_t>(512 / sizeof(T));
}

template <class T, bool Const>
class gc_deque_iterator {
public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<Const, const T&, T&>;
    using pointer = std::conditional_t<Const, const T*, T*>;

    gc_deque_iterator() noexcept = default;
    gc_deque_iterator(const gc::ptr<T>* block, T* at) noexcept : block_(block), at_(at) {}
    template <bool Other>
    requires(Const && !Other) gc_deque_iterator(const gc_deque_iterator<T, Other>& other)
    noexcept : block_(other.block()), at_(other.address()) {}

    [[nodiscard]] reference operator*() const noexcept { return *at_; }
    [[nodiscard]] pointer operator->() const noexcept { return at_; }
    [[nodiscard]] reference operator[](difference_type n) const noexcept { return *(*this + n); }

    gc_deque_iterator& operator++() noexcept {
        if (++at_ == block_->get() + gc_deque_block<T>()) at_ = (++block_)->get();
        return *this;
    }
    gc_deque_iterator operator++(int) noexcept {
        const gc_deque_iterator old = *this;
        ++*this;
        return old;
    }
    gc_deque_iterator& operator--() noexcept {
        if (at_ == block_->get()) at_ = (--block_)->get() + gc_deque_block<T>();
        --at_;
        return *this;
    }
    gc_deque_iterator operator--(int) noexcept {
        const gc_deque_iterator old = *this;
        --*this;
        return old;
    }
    gc_deque_iterator& operator+=(difference_type n) noexcept {
        if (n == 0) return *this;  // Also where there is no block.
        const difference_type offset = (at_ - block_->get()) + n;
        constexpr difference_type size = gc_deque_block<T>();
        const difference_type blocks = offset >= 0 ? offset / size : -((-offset - 1) / size) - 1;
        block_ += blocks;
        at_ = block_->get() + (offset - blocks * size);
        return *this;
    }
    gc_deque_iterator& operator-=(difference_type n) noexcept { return *this += -n; }
    [[nodiscard]] friend gc_deque_iterator operator+(gc_deque_iterator it,
                                                     difference_type n) noexcept {
        return it += n;
    }
    [[nodiscard]] friend gc_deque_iterator operator+(difference_type n,
                                                     gc_deque_iterator it) noexcept {
        return it += n;
    }
    [[nodiscard]] friend gc_deque_iterator operator-(gc_deque_iterator it,
                                                     difference_type n) noexcept {
        return it -= n;
    }
    [[nodiscard]] friend difference_type operator-(const gc_deque_iterator& a,
                                                   const gc_deque_iterator& b) noexcept {
        if (a.block_ == b.block_) return a.at_ - b.at_;
        return (a.block_ - b.block_) * gc_deque_block<T>() + (a.at_ - a.block_->get()) -
               (b.at_ - b.block_->get());
    }
    [[nodiscard]] friend bool operator==(const gc_deque_iterator& a,
                                         const gc_deque_iterator& b) noexcept {
        return a.at_ == b.at_;
    }
    [[nodiscard]] friend std::strong_ordering operator<=>(const gc_deque_iterator& a,
                                                          const gc_deque_iterator& b) noexcept {
        return a.block_ == b.block_ ? a.at_ <=> b.at_ : a.block_ <=> b.block_;
    }

    [[nodiscard]] const gc::ptr<T>* block() const noexcept { return block_; }
    [[nodiscard]] T* address() const noexcept { return at_; }

private:
    const gc::ptr<T>* block_ = nullptr;
    T* at_ = nullptr;
};

template <class T>
class gc_deque_core {
public:
    using value_type = T;
    using allocator_type = gc::allocator<T>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using const_reference = const T&;
    using pointer = T*;
    using const_pointer = const T*;
    using iterator = gc_deque_iterator<T, false>;
    using const_iterator = gc_deque_iterator<T, true>;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;

    gc_deque_core() noexcept = default;
    explicit gc_deque_core(const allocator_type&) noexcept {}
    explicit gc_deque_core(size_type n, const allocator_type& = {}) {
        append(n, [this] { emplace_back(); });
    }
    gc_deque_core(size_type n, const T& value, const allocator_type& = {}) {
        append(n, [this, &value] { emplace_back(value); });
    }
    template <gc_input_iterator It>
    gc_deque_core(It first, It last, const allocator_type& = {}) {
        append_range(first, last);
    }
    gc_deque_core(std::initializer_list<T> values, const allocator_type& = {}) {
        append_range(values.begin(), values.end());
    }
    gc_deque_core(const gc_deque_core& other) { append_range(other.begin(), other.end()); }
    gc_deque_core(const gc_deque_core& other, const allocator_type&) : gc_deque_core(other) {}
    gc_deque_core(gc_deque_core&& other) noexcept { take(other); }
    gc_deque_core(gc_deque_core&& other, const allocator_type&) noexcept { take(other); }

    gc_deque_core& operator=(const gc_deque_core& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    gc_deque_core& operator=(gc_deque_core&& other) noexcept {
        if (this != &other) {
            destroy_elements();
            take(other);
        }
        return *this;
    }

    void assign(size_type n, const T& value) {
        gc_deque_core fresh(n, value);
        become(fresh);
    }
    template <gc_input_iterator It>
    void assign(It first, It last) {
        gc_deque_core fresh(first, last);
        become(fresh);
    }
    void assign(std::initializer_list<T> values) { assign(values.begin(), values.end()); }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

    [[nodiscard]] reference operator[](size_type i) noexcept { return *place(start_ + i); }
    [[nodiscard]] const_reference operator[](size_type i) const noexcept {
        return *place(start_ + i);
    }
    [[nodiscard]] reference at(size_type i) {
        check(i);
        return *place(start_ + i);
    }
    [[nodiscard]] const_reference at(size_type i) const {
        check(i);
        return *place(start_ + i);
    }
    [[nodiscard]] reference front() noexcept { return *place(start_); }
    [[nodiscard]] const_reference front() const noexcept { return *place(start_); }
    [[nodiscard]] reference back() noexcept { return *place(start_ + size_ - 1); }
    [[nodiscard]] const_reference back() const noexcept { return *place(start_ + size_ - 1); }

    [[nodiscard]] iterator begin() noexcept { return iterator_at<iterator>(start_); }
    [[nodiscard]] const_iterator begin() const noexcept {
        return iterator_at<const_iterator>(start_);
    }
    [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
    [[nodiscard]] iterator end() noexcept { return iterator_at<iterator>(start_ + size_); }
    [[nodiscard]] const_iterator end() const noexcept {
        return iterator_at<const_iterator>(start_ + size_);
    }
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
    [[nodiscard]] size_type max_size() const noexcept { return PTRDIFF_MAX / 4 / sizeof(T); }
    void shrink_to_fit() {
        if (size_ == 0) {
            map_ = nullptr;
            spare_ = nullptr;
            map_size_ = start_ = 0;
        } else {
            spare_ = nullptr;
        }
    }

    void clear() noexcept {
        while (size_ != 0) pop_back();
    }
    template <class... Args>
    reference emplace_back(Args&&... args) {
        make_room_behind();
        T* const made = gc_construct_shaded<T>(place(start_ + size_), std::forward<Args>(args)...);
        ++size_;
        return *made;
    }
    template <class... Args>
    reference emplace_front(Args&&... args) {
        make_room_before();
        T* const made = gc_construct_shaded<T>(place(start_ - 1), std::forward<Args>(args)...);
        --start_;
        ++size_;
        return *made;
    }
    void push_back(const T& value) { emplace_back(value); }
    void push_back(T&& value) { emplace_back(std::move(value)); }
    void push_front(const T& value) { emplace_front(value); }
    void push_front(T&& value) { emplace_front(std::move(value)); }
    void pop_back() noexcept {
        --size_;
        const size_type end = start_ + size_;
        gc_destroy_and_wipe(place(end), 1);
        // The block behind that of the place past the end is not needed any more.
        if (end % block == block - 1) give_block(end / block + 1);
    }
    void pop_front() noexcept {
        gc_destroy_and_wipe(place(start_), 1);
        ++start_;
        --size_;
        if (start_ % block == 0) give_block(start_ / block - 1);
    }
    void resize(size_type n) {
        while (size_ > n) pop_back();
        append(n - size_, [this] { emplace_back(); });
    }
    void resize(size_type n, const T& value) {
        while (size_ > n) pop_back();
        append(n - size_, [this, &value] { emplace_back(value); });
    }

    template <class... Args>
    iterator emplace(const_iterator at, Args&&... args) {
        const auto index = static_cast<size_type>(at - begin());
        if (index < size_ / 2) {
            emplace_front(std::forward<Args>(args)...);
            rotate(0, 1, index + 1);
        } else {
            emplace_back(std::forward<Args>(args)...);
            rotate(index, size_ - 1, size_);
        }
        return begin() + static_cast<difference_type>(index);
    }
    iterator insert(const_iterator at, const T& value) { return emplace(at, value); }
    iterator insert(const_iterator at, T&& value) { return emplace(at, std::move(value)); }
    iterator insert(const_iterator at, size_type n, const T& value) {
        const auto index = static_cast<size_type>(at - begin());
        const size_type before = size_;
        const T copy(value);  // It may be one of ours, and move.
        append(n, [this, &copy] { emplace_back(copy); });
        rotate(index, before, size_);
        return begin() + static_cast<difference_type>(index);
    }
    template <gc_input_iterator It>
    iterator insert(const_iterator at, It first, It last) {
        const auto index = static_cast<size_type>(at - begin());
        const size_type before = size_;
        append_range(first, last);
        rotate(index, before, size_);
        return begin() + static_cast<difference_type>(index);
    }
    iterator insert(const_iterator at, std::initializer_list<T> values) {
        return insert(at, values.begin(), values.end());
    }
    iterator erase(const_iterator at) { return erase(at, at + 1); }
    iterator erase(const_iterator first, const_iterator last) {
        const auto index = static_cast<size_type>(first - begin());
        const auto n = static_cast<size_type>(last - first);
        const iterator from = begin() + static_cast<difference_type>(index);
        const iterator to = from + static_cast<difference_type>(n);
        if (index < (size_ - n) / 2) {
            shade_moved(std::move_backward(begin(), from, to), to);
            for (size_type i = 0; i != n; ++i) pop_front();
        } else {
            shade_moved(from, std::move(to, end(), from));
            for (size_type i = 0; i != n; ++i) pop_back();
        }
        return begin() + static_cast<difference_type>(index);
    }
    void swap(gc_deque_core& other) noexcept {
        map_.swap(other.map_);
        spare_.swap(other.spare_);
        std::swap(map_size_, other.map_size_);
        std::swap(start_, other.start_);
        std::swap(size_, other.size_);
    }

protected:
    void destroy_elements() noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>) {
            for (size_type i = 0; i != size_; ++i) std::destroy_at(place(start_ + i));
        }
    }

private:
    // How many elements a block has. Asked for in functions only, because T may be incomplete elsewhere.
    struct block_constant {
        constexpr operator size_type() const noexcept {
            return static_cast<size_type>(gc_deque_block<T>());
        }
    };
    static constexpr block_constant block{};

    void check(size_type i) const {
        if (i >= size_) throw std::out_of_range("weft::gc::deque::at");
    }
    [[nodiscard]] T* place(size_type at) const noexcept {
        return map_.get()[at / block].get() + at % block;
    }
    template <class It>
    [[nodiscard]] It iterator_at(size_type at) const noexcept {
        const gc::ptr<T>* const map = map_.get();
        if (map == nullptr) return {};
        const gc::ptr<T>* const b = map + at / block;
        return {b, b->get() + at % block};
    }

    void need_block(size_type number) {
        gc::ptr<T>& b = map_.get()[number];
        if (b != nullptr) return;
        if (spare_ != nullptr) {
            b = std::move(spare_);
        } else {
            b = gc_allocate_buffer<T>(block);
        }
    }
    void give_block(size_type number) noexcept { spare_ = std::move(map_.get()[number]); }

    // There is a block for the next element, and one for the place behind it.
    void make_room_behind() {
        const size_type end = start_ + size_;
        if (map_ == nullptr || (end + 1) / block >= map_size_) grow_map();
        need_block((start_ + size_) / block);
        need_block((start_ + size_ + 1) / block);
    }
    void make_room_before() {
        if (start_ == 0 || map_ == nullptr) grow_map();
        need_block((start_ - 1) / block);
        need_block((start_ + size_) / block);
    }
    // Puts what is in use into the middle of the map, or of one twice as large.
    void grow_map() {
        const size_type first = start_ / block;
        const size_type used = map_ == nullptr ? 0 : (start_ + size_) / block + 1 - first;
        const size_type least = used + 2;
        size_type n = map_size_;
        if (n < 2 * least) n = std::max<size_type>(8, 2 * least);
        // The same size again where the use has only wandered to one end.
        gc::ptr<T>* const fresh = gc_allocate_buffer<gc::ptr<T>>(n);
        const size_type at = (n - used) / 2;
        for (size_type i = 0; i != used; ++i) fresh[at + i] = map_.get()[first + i];
        start_ = at * block + start_ % block;
        map_size_ = n;
        map_ = fresh;
    }

    void take(gc_deque_core& other) noexcept {
        map_ = std::move(other.map_);
        spare_ = std::move(other.spare_);
        map_size_ = std::exchange(other.map_size_, 0);
        start_ = std::exchange(other.start_, 0);
        size_ = std::exchange(other.size_, 0);
    }
    void become(gc_deque_core& fresh) noexcept {
        destroy_elements();
        take(fresh);
    }

    // All n at the end, or none if one throws.
    template <class One>
    void append(size_type n, One&& one) {
        undo made{*this, size_};
        for (; n != 0; --n) one();
        made.done = true;
    }
    template <class It>
    void append_range(It first, It last) {
        undo made{*this, size_};
        for (; first != last; ++first) emplace_back(*first);
        made.done = true;
    }
    struct undo {
        gc_deque_core& deque;
        size_type before;
        bool done = false;
        ~undo() {
            if (done) return;
            while (deque.size_ != before) deque.pop_back();
        }
    };

    void rotate(size_type first, size_type middle, size_type last) {
        if (first == middle || middle == last) return;
        const iterator from = begin() + static_cast<difference_type>(first);
        const iterator to = begin() + static_cast<difference_type>(last);
        std::rotate(from, begin() + static_cast<difference_type>(middle), to);
        shade_moved(from, to);
    }
    static void shade_moved(iterator first, iterator last) noexcept {
        if constexpr (gc_may_hide<T>) {
            if (gc_is_marking()) [[unlikely]] {
                for (; first != last; ++first) gc_moved(std::addressof(*first), 1);
            }
        }
    }

    gc::ptr<gc::ptr<T>> map_;
    gc::ptr<T> spare_;  // A block that was given up, for the next that is needed.
    size_type map_size_ = 0;
    size_type start_ = 0;
    size_type size_ = 0;
};

template <class T>
using gc_deque_base = gc_owner<gc_deque_core<T>, gc_needs_destroying<T, gc_deque_core<T>>>;

}  // namespace weft::detail

/// A deque in the collected heap: see weft::gc::deque.
template <class T>
class std::deque<T, weft::gc::allocator<T>> : public weft::detail::gc_deque_base<T> {
    using base = weft::detail::gc_deque_base<T>;

public:
    using base::base;
    deque() = default;
    deque& operator=(std::initializer_list<T> values) {
        this->assign(values);
        return *this;
    }
};

namespace weft::detail {
template <class T>
inline constexpr bool gc_has_barrier<std::deque<T, gc::allocator<T>>> = true;
}  // namespace weft::detail

namespace weft::gc {

/// std::deque with its memory in the collected heap: elements may hold gc::ptr. Valid on stacks and in objects of the
/// heap.
template <class T>
using deque = std::deque<T, allocator<T>>;

}  // namespace weft::gc
