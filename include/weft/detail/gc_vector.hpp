// gc::vector: std::vector over gc::allocator. See gc_elements.hpp.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::detail {

template <class T>
class gc_vector_core {
public:
    using value_type = T;
    using allocator_type = gc::allocator<T>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using const_reference = const T&;
    using pointer = T*;
    using const_pointer = const T*;
    using iterator = T*;
    using const_iterator = const T*;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;

    gc_vector_core() noexcept = default;
    explicit gc_vector_core(const allocator_type&) noexcept {}
    explicit gc_vector_core(size_type n, const allocator_type& = {}) {
        append_value_initialised(n);
    }
    gc_vector_core(size_type n, const T& value, const allocator_type& = {}) {
        append_copies(n, value);
    }
    template <gc_input_iterator It>
    gc_vector_core(It first, It last, const allocator_type& = {}) {
        append_range(first, last);
    }
    gc_vector_core(std::initializer_list<T> values, const allocator_type& = {}) {
        append_range(values.begin(), values.end());
    }
    gc_vector_core(const gc_vector_core& other) { append_range(other.begin(), other.end()); }
    gc_vector_core(const gc_vector_core& other, const allocator_type&) : gc_vector_core(other) {}
    gc_vector_core(gc_vector_core&& other) noexcept { take(other); }
    gc_vector_core(gc_vector_core&& other, const allocator_type&) noexcept { take(other); }

    gc_vector_core& operator=(const gc_vector_core& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    gc_vector_core& operator=(gc_vector_core&& other) noexcept {
        if (this != &other) {
            destroy_elements();
            take(other);
        }
        return *this;
    }

    void assign(size_type n, const T& value) {
        if (n > capacity_) {
            gc_vector_core fresh;
            fresh.append_copies(n, value);
            become(fresh);
            return;
        }
        const T copy(value);  // It may be one of ours.
        clear();
        append_copies(n, copy);
    }
    template <gc_input_iterator It>
    void assign(It first, It last) {
        if constexpr (gc_forward_iterator<It>) {
            if (static_cast<size_type>(std::distance(first, last)) <= capacity_) {
                T* at = begin();
                T* const stop = end();
                for (; at != stop && first != last; ++at, static_cast<void>(++first)) *at = *first;
                gc_moved(begin(), static_cast<size_type>(at - begin()));
                if (at != stop) {
                    shrink_to(static_cast<size_type>(at - begin()));
                } else {
                    append_range(first, last);
                }
                return;
            }
        }
        gc_vector_core fresh;
        fresh.append_range(first, last);
        become(fresh);
    }
    void assign(std::initializer_list<T> values) { assign(values.begin(), values.end()); }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

    [[nodiscard]] reference operator[](size_type i) noexcept { return first_.get()[i]; }
    [[nodiscard]] const_reference operator[](size_type i) const noexcept { return first_.get()[i]; }
    [[nodiscard]] reference at(size_type i) {
        check(i);
        return first_.get()[i];
    }
    [[nodiscard]] const_reference at(size_type i) const {
        check(i);
        return first_.get()[i];
    }
    [[nodiscard]] reference front() noexcept { return *begin(); }
    [[nodiscard]] const_reference front() const noexcept { return *begin(); }
    [[nodiscard]] reference back() noexcept { return end()[-1]; }
    [[nodiscard]] const_reference back() const noexcept { return end()[-1]; }
    [[nodiscard]] T* data() noexcept { return first_.get(); }
    [[nodiscard]] const T* data() const noexcept { return first_.get(); }

    [[nodiscard]] iterator begin() noexcept { return first_.get(); }
    [[nodiscard]] const_iterator begin() const noexcept { return first_.get(); }
    [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
    [[nodiscard]] iterator end() noexcept { return first_.get() + size_; }
    [[nodiscard]] const_iterator end() const noexcept { return first_.get() + size_; }
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
    [[nodiscard]] size_type capacity() const noexcept { return capacity_; }
    void reserve(size_type n) {
        if (n > max_size()) throw std::length_error("weft::gc::vector::reserve");
        if (n > capacity_) reallocate(n);
    }
    void shrink_to_fit() {
        if (gc_buffer_capacity<T>(size_) < capacity_) {
            gc_vector_core fresh;
            if (size_ != 0) {
                fresh.reserve(size_);
                fresh.append_moved(begin(), end());
            }
            become(fresh);
        }
    }

    void clear() noexcept { shrink_to(0); }
    iterator insert(const_iterator at, const T& value) { return emplace(at, value); }
    iterator insert(const_iterator at, T&& value) { return emplace(at, std::move(value)); }
    iterator insert(const_iterator at, size_type n, const T& value) {
        const size_type index = index_of(at);
        const size_type before = size_;
        append_copies(n, value);
        return turn(index, before);
    }
    template <gc_input_iterator It>
    iterator insert(const_iterator at, It first, It last) {
        const size_type index = index_of(at);
        const size_type before = size_;
        append_range(first, last);
        return turn(index, before);
    }
    iterator insert(const_iterator at, std::initializer_list<T> values) {
        return insert(at, values.begin(), values.end());
    }
    template <class... Args>
    iterator emplace(const_iterator at, Args&&... args) {
        const size_type index = index_of(at);
        emplace_back(std::forward<Args>(args)...);
        T* const place = begin() + index;
        if (index + 1 != size_) {
            T last(std::move(back()));
            std::move_backward(place, end() - 1, end());
            *place = std::move(last);
            gc_moved(place, size_ - index);
        }
        return place;
    }
    iterator erase(const_iterator at) { return erase(at, at + 1); }
    iterator erase(const_iterator first, const_iterator last) {
        T* const place = begin() + index_of(first);
        if (first != last) {
            T* const rest = std::move(begin() + index_of(last), end(), place);
            gc_moved(place, static_cast<size_type>(rest - place));
            shrink_to(static_cast<size_type>(rest - begin()));
        }
        return place;
    }
    void push_back(const T& value) { emplace_back(value); }
    void push_back(T&& value) { emplace_back(std::move(value)); }
    template <class... Args>
    reference emplace_back(Args&&... args) {
        if (size_ == capacity_) [[unlikely]]
            return grow_and_emplace(std::forward<Args>(args)...);
        T* const made = gc_construct_shaded<T>(first_.get() + size_, std::forward<Args>(args)...);
        ++size_;
        return *made;
    }
    void pop_back() noexcept { shrink_to(size_ - 1); }
    void resize(size_type n) {
        if (n <= size_) {
            shrink_to(n);
        } else {
            append_value_initialised(n - size_);
        }
    }
    void resize(size_type n, const T& value) {
        if (n <= size_) {
            shrink_to(n);
        } else {
            append_copies(n - size_, value);
        }
    }
    void swap(gc_vector_core& other) noexcept {
        first_.swap(other.first_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

protected:
    void destroy_elements() noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>) std::destroy_n(begin(), size_);
    }

private:
    // Destroys elements that were just constructed, if what follows throws.
    struct undo {
        T* first;
        T* last;
        ~undo() { std::destroy(first, last); }
    };

    static constexpr bool moves_bytes = std::is_trivially_copyable_v<T>;

    void check(size_type i) const {
        if (i >= size_) throw std::out_of_range("weft::gc::vector::at");
    }
    [[nodiscard]] size_type index_of(const_iterator at) const noexcept {
        return static_cast<size_type>(at - begin());
    }
    // The elements of `other`, which is empty behind it; ours are gone already.
    void take(gc_vector_core& other) noexcept {
        first_ = std::move(other.first_);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
    }
    void become(gc_vector_core& fresh) noexcept {
        destroy_elements();
        take(fresh);
    }
    void shrink_to(size_type n) noexcept {
        const size_type gone = size_ - n;
        size_ = n;
        gc_destroy_and_wipe(first_.get() + n, gone);
    }

    [[nodiscard]] size_type grown(size_type least) const {
        if (least > max_size()) throw std::length_error("weft::gc::vector");
        return std::max(least, capacity_ + capacity_);
    }
    // Constructs ours at `to`, by moving where that does not throw.
    void move_elements(T* to) {
        T* const from = first_.get();
        if constexpr (moves_bytes) {
            if (size_ != 0) __builtin_memcpy(static_cast<void*>(to), from, size_ * sizeof(T));
            gc_moved(to, size_);
        } else {
            undo done{to, to};
            for (size_type i = 0; i != size_; ++i, ++done.last) {
                gc_construct_shaded<T>(done.last, std::move_if_noexcept(from[i]));
            }
            done.last = done.first;
        }
    }
    void reallocate(size_type n) {
        T* const fresh = gc_allocate_buffer<T>(n);
        move_elements(fresh);
        destroy_elements();
        first_ = fresh;
        capacity_ = gc_buffer_capacity<T>(n);
    }
    template <class... Args>
    [[gnu::noinline]] reference grow_and_emplace(Args&&... args) {
        const size_type n = grown(size_ + 1);
        T* const fresh = gc_allocate_buffer<T>(n);
        // First the new one: what it is made of may be one of ours.
        T* const made = gc_construct_shaded<T>(fresh + size_, std::forward<Args>(args)...);
        if constexpr (moves_bytes || std::is_nothrow_move_constructible_v<T>) {
            move_elements(fresh);
        } else {
            undo done{made, made + 1};
            move_elements(fresh);
            done.last = done.first;
        }
        destroy_elements();
        first_ = fresh;
        capacity_ = gc_buffer_capacity<T>(n);
        ++size_;
        return *made;
    }

    // Constructs n elements behind ours by make(place, i), all of them or none.
    template <class Make>
    void append(size_type n, Make&& make) {
        if (n > capacity_ - size_) reallocate(grown(size_ + n));
        T* const place = first_.get() + size_;
        if constexpr (std::is_trivially_destructible_v<T>) {
            for (size_type i = 0; i != n; ++i) make(place + i);
        } else {
            undo done{place, place};
            for (; done.last != place + n; ++done.last) make(done.last);
            done.last = done.first;
        }
        size_ += n;
    }
    void append_value_initialised(size_type n) {
        append(n, [](T* at) {
            // Fresh memory, and that of erased elements, is zero unless elements have no pointers.
            if constexpr (gc_starts_zero<T> && !gc_scan_not<T>) {
                static_cast<void>(at);
            } else {
                gc_construct_shaded<T>(at);
            }
        });
    }
    void append_copies(size_type n, const T& value) {
        if (n > capacity_ - size_) {
            const T copy(value);  // It may be one of ours.
            append(n, [&copy](T* at) { gc_construct_shaded<T>(at, copy); });
        } else {
            append(n, [&value](T* at) { gc_construct_shaded<T>(at, value); });
        }
    }
    template <class It>
    void append_range(It first, It last) {
        if constexpr (gc_forward_iterator<It>) {
            append(static_cast<size_type>(std::distance(first, last)), [&first](T* at) {
                gc_construct_shaded<T>(at, *first);
                ++first;
            });
        } else {
            const size_type before = size_;
            try {
                for (; first != last; ++first) emplace_back(*first);
            } catch (...) {
                shrink_to(before);
                throw;
            }
        }
    }
    void append_moved(T* first, T* last) {
        append(static_cast<size_type>(last - first), [&first](T* at) {
            gc_construct_shaded<T>(at, std::move_if_noexcept(*first));
            ++first;
        });
    }
    // Moves the elements from `before` on, which were appended, to `index`.
    iterator turn(size_type index, size_type before) {
        if (index != before && before != size_) {
            std::rotate(begin() + index, begin() + before, end());
            gc_moved(begin() + index, size_ - index);
        }
        return begin() + index;
    }

    gc::ptr<T> first_;
    size_type size_ = 0;
    size_type capacity_ = 0;
};

template <class T>
using gc_vector_base = gc_owner<gc_vector_core<T>, gc_needs_destroying<T, gc_vector_core<T>>>;

}  // namespace weft::detail

/// A vector in the collected heap: see weft::gc::vector.
template <class T>
class std::vector<T, weft::gc::allocator<T>> : public weft::detail::gc_vector_base<T> {
    using base = weft::detail::gc_vector_base<T>;

public:
    using base::base;
    vector() = default;
    vector& operator=(std::initializer_list<T> values) {
        this->assign(values);
        return *this;
    }
};

/// One bool an element, not one bit.
template <>
class std::vector<bool, weft::gc::allocator<bool>> : public weft::detail::gc_vector_base<bool> {
    using base = weft::detail::gc_vector_base<bool>;

public:
    using base::base;
    vector() = default;
    vector& operator=(std::initializer_list<bool> values) {
        this->assign(values);
        return *this;
    }
};

namespace weft::detail {
template <class T>
inline constexpr bool gc_has_barrier<std::vector<T, gc::allocator<T>>> = true;
}  // namespace weft::detail

namespace weft::gc {

/// std::vector with its buffer in the collected heap: elements may hold gc::ptr. Valid on stacks and in objects of
/// the heap. Three words. To be filled where make() may be called.
template <class T>
using vector = std::vector<T, allocator<T>>;

}  // namespace weft::gc
