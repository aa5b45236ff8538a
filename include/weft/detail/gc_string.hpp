// gc::string: std::string over gc::allocator. See gc_elements.hpp.
#pragma once

#include <weft/detail/gc_elements.hpp>
#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weft::detail {

template <class V, class C, class Traits>
concept gc_view_of = std::is_convertible_v<const V&, std::basic_string_view<C, Traits>> &&
    !std::is_convertible_v<const V&, const C*>;

}  // namespace weft::detail

/// A string in the collected heap: see weft::gc::string. There is a null behind the last character; an empty string
/// has no memory.
template <class C, class Traits>
class std::basic_string<C, Traits, weft::gc::allocator<C>> {
    using view = std::basic_string_view<C, Traits>;

public:
    using traits_type = Traits;
    using value_type = C;
    using allocator_type = weft::gc::allocator<C>;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = C&;
    using const_reference = const C&;
    using pointer = C*;
    using const_pointer = const C*;
    using iterator = C*;
    using const_iterator = const C*;
    using reverse_iterator = std::reverse_iterator<iterator>;
    using const_reverse_iterator = std::reverse_iterator<const_iterator>;

    static constexpr size_type npos = view::npos;

    basic_string() noexcept = default;
    explicit basic_string(const allocator_type&) noexcept {}
    basic_string(size_type n, C c, const allocator_type& = {}) { append(n, c); }
    basic_string(const C* text, size_type n, const allocator_type& = {}) { append(view(text, n)); }
    basic_string(const C* text, const allocator_type& = {}) { append(view(text)); }
    basic_string(std::nullptr_t) = delete;
    template <weft::detail::gc_input_iterator It>
    basic_string(It first, It last, const allocator_type& = {}) {
        append(first, last);
    }
    basic_string(std::initializer_list<C> characters, const allocator_type& = {}) {
        append(view(characters.begin(), characters.size()));
    }
    basic_string(const basic_string& other) { append(other.as_view()); }
    basic_string(const basic_string& other, const allocator_type&) : basic_string(other) {}
    basic_string(basic_string&& other) noexcept { swap(other); }
    basic_string(basic_string&& other, const allocator_type&) noexcept { swap(other); }
    basic_string(const basic_string& other, size_type at, size_type n = npos,
                 const allocator_type& = {}) {
        append(other.as_view().substr(at, n));
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    explicit basic_string(const V& text, const allocator_type& = {}) { append(view(text)); }
    template <class V>
    requires(std::is_convertible_v<const V&, view>)
        basic_string(const V& text, size_type at, size_type n, const allocator_type& = {}) {
        append(view(text).substr(at, n));
    }

    basic_string& operator=(const basic_string& other) {
        if (this != &other) assign(other.as_view());
        return *this;
    }
    basic_string& operator=(basic_string&& other) noexcept {
        if (this != &other) {
            first_ = std::move(other.first_);
            size_ = std::exchange(other.size_, 0);
            capacity_ = std::exchange(other.capacity_, 0);
        }
        return *this;
    }

    basic_string& operator=(const C* text) { return assign(text); }
    basic_string& operator=(C c) { return assign(size_type{1}, c); }
    basic_string& operator=(std::initializer_list<C> characters) { return assign(characters); }
    basic_string& operator=(std::nullptr_t) = delete;
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& operator=(const V& text) {
        return assign(view(text));
    }

    basic_string& assign(view text) {
        if (text.size() > capacity_) {
            become(text, {}, {});
        } else {
            Traits::move(first_.get(), text.data(), text.size());  // It may be a part of ours.
            end_at(text.size());
        }
        return *this;
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& assign(const V& text) {
        return assign(view(text));
    }
    basic_string& assign(const basic_string& other) { return assign(other.as_view()); }
    basic_string& assign(basic_string&& other) noexcept { return *this = std::move(other); }
    basic_string& assign(const basic_string& other, size_type at, size_type n = npos) {
        return assign(other.as_view().substr(at, n));
    }
    basic_string& assign(const C* text) { return assign(view(text)); }
    basic_string& assign(const C* text, size_type n) { return assign(view(text, n)); }
    basic_string& assign(size_type n, C c) {
        clear();
        return append(n, c);
    }
    template <weft::detail::gc_input_iterator It>
    basic_string& assign(It first, It last) {
        basic_string fresh(first, last);
        return *this = std::move(fresh);
    }
    basic_string& assign(std::initializer_list<C> characters) {
        return assign(view(characters.begin(), characters.size()));
    }

    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    [[nodiscard]] operator view() const noexcept { return as_view(); }

    [[nodiscard]] reference operator[](size_type i) noexcept { return writable()[i]; }
    [[nodiscard]] const_reference operator[](size_type i) const noexcept { return data()[i]; }
    [[nodiscard]] reference at(size_type i) {
        check(i);
        return writable()[i];
    }
    [[nodiscard]] const_reference at(size_type i) const {
        check(i);
        return data()[i];
    }
    [[nodiscard]] reference front() noexcept { return *writable(); }
    [[nodiscard]] const_reference front() const noexcept { return *data(); }
    [[nodiscard]] reference back() noexcept { return writable()[size_ - 1]; }
    [[nodiscard]] const_reference back() const noexcept { return data()[size_ - 1]; }
    [[nodiscard]] const C* data() const noexcept {
        const C* const text = first_.get();
        return text == nullptr ? nothing : text;
    }
    [[nodiscard]] C* data() noexcept { return writable(); }
    [[nodiscard]] const C* c_str() const noexcept { return data(); }

    [[nodiscard]] iterator begin() noexcept { return writable(); }
    [[nodiscard]] const_iterator begin() const noexcept { return data(); }
    [[nodiscard]] const_iterator cbegin() const noexcept { return data(); }
    [[nodiscard]] iterator end() noexcept { return writable() + size_; }
    [[nodiscard]] const_iterator end() const noexcept { return data() + size_; }
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
    [[nodiscard]] size_type length() const noexcept { return size_; }
    [[nodiscard]] size_type max_size() const noexcept { return PTRDIFF_MAX / 4 / sizeof(C); }
    [[nodiscard]] size_type capacity() const noexcept { return capacity_; }
    void reserve(size_type n = 0) {
        if (n > capacity_) become(as_view(), {}, {}, n);
    }
    void shrink_to_fit() {
        if (size_ == 0) {
            first_ = nullptr;
            capacity_ = 0;
        } else if (capacity_for(size_) < capacity_) {
            become(as_view(), {}, {}, size_, true);
        }
    }

    void clear() noexcept {
        if (first_ != nullptr) end_at(0);
    }
    basic_string& append(view text) {
        if (text.size() > capacity_ - size_) {
            become(as_view(), text, {});
        } else if (!text.empty()) {
            Traits::move(first_.get() + size_, text.data(), text.size());
            end_at(size_ + text.size());
        }
        return *this;
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& append(const V& text) {
        return append(view(text));
    }
    basic_string& append(const basic_string& other) { return append(other.as_view()); }
    basic_string& append(const basic_string& other, size_type at, size_type n = npos) {
        return append(other.as_view().substr(at, n));
    }
    basic_string& append(const C* text) { return append(view(text)); }
    basic_string& append(const C* text, size_type n) { return append(view(text, n)); }
    basic_string& append(size_type n, C c) {
        if (n == 0) return *this;
        need(size_ + n);
        Traits::assign(first_.get() + size_, n, c);
        end_at(size_ + n);
        return *this;
    }
    template <weft::detail::gc_input_iterator It>
    basic_string& append(It first, It last) {
        basic_string more;  // The iterators may be ours.
        for (; first != last; ++first) more.push_back(*first);
        return append(more.as_view());
    }
    basic_string& append(std::initializer_list<C> characters) {
        return append(view(characters.begin(), characters.size()));
    }
    basic_string& operator+=(const basic_string& text) { return append(text); }
    basic_string& operator+=(const C* text) { return append(text); }
    basic_string& operator+=(C c) {
        push_back(c);
        return *this;
    }
    basic_string& operator+=(std::initializer_list<C> characters) { return append(characters); }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& operator+=(const V& text) {
        return append(view(text));
    }
    void push_back(C c) {
        need(size_ + 1);
        Traits::assign(first_.get()[size_], c);
        end_at(size_ + 1);
    }
    void pop_back() noexcept { end_at(size_ - 1); }
    void resize(size_type n, C c = C()) {
        if (n > size_) {
            append(n - size_, c);
        } else if (n < size_) {
            end_at(n);
        }
    }

    basic_string& insert(size_type at, view text) { return replace(at, 0, text); }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& insert(size_type at,
                                                                         const V& text) {
        return replace(at, 0, view(text));
    }
    basic_string& insert(size_type at, const basic_string& other) {
        return replace(at, 0, other.as_view());
    }
    basic_string& insert(size_type at, const basic_string& other, size_type from,
                         size_type n = npos) {
        return replace(at, 0, other.as_view().substr(from, n));
    }
    basic_string& insert(size_type at, const C* text) { return replace(at, 0, view(text)); }
    basic_string& insert(size_type at, const C* text, size_type n) {
        return replace(at, 0, view(text, n));
    }
    basic_string& insert(size_type at, size_type n, C c) { return replace(at, 0, n, c); }
    iterator insert(const_iterator at, C c) { return insert(at, size_type{1}, c); }
    iterator insert(const_iterator at, size_type n, C c) {
        const size_type index = index_of(at);
        replace(index, 0, n, c);
        return begin() + index;
    }
    template <weft::detail::gc_input_iterator It>
    iterator insert(const_iterator at, It first, It last) {
        const size_type index = index_of(at);
        const basic_string more(first, last);
        replace(index, 0, more.as_view());
        return begin() + index;
    }
    iterator insert(const_iterator at, std::initializer_list<C> characters) {
        return insert(at, characters.begin(), characters.end());
    }
    basic_string& erase(size_type at = 0, size_type n = npos) { return replace(at, n, view()); }
    iterator erase(const_iterator at) { return erase(at, at + 1); }
    iterator erase(const_iterator first, const_iterator last) {
        const size_type index = index_of(first);
        replace(index, static_cast<size_type>(last - first), view());
        return begin() + index;
    }

    basic_string& replace(size_type at, size_type n, view text) {
        if (at > size_) throw std::out_of_range("weft::gc::string");
        n = std::min(n, size_ - at);
        const view old = as_view();
        const bool is_ours = !text.empty() &&
                             std::less_equal<const C*>()(old.data(), text.data()) &&
                             std::less_equal<const C*>()(text.data(), old.data() + size_);
        if (size_ - n + text.size() > capacity_ || is_ours) {
            become(old.substr(0, at), text, old.substr(at + n));
        } else if (first_ != nullptr) {
            C* const place = first_.get() + at;
            Traits::move(place + text.size(), place + n, size_ - at - n);
            Traits::copy(place, text.data(), text.size());
            end_at(size_ - n + text.size());
        }
        return *this;
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string& replace(size_type at, size_type n,
                                                                          const V& text) {
        return replace(at, n, view(text));
    }
    basic_string& replace(size_type at, size_type n, const basic_string& other) {
        return replace(at, n, other.as_view());
    }
    basic_string& replace(size_type at, size_type n, const basic_string& other, size_type from,
                          size_type count = npos) {
        return replace(at, n, other.as_view().substr(from, count));
    }
    basic_string& replace(size_type at, size_type n, const C* text) {
        return replace(at, n, view(text));
    }
    basic_string& replace(size_type at, size_type n, const C* text, size_type count) {
        return replace(at, n, view(text, count));
    }
    basic_string& replace(size_type at, size_type n, size_type count, C c) {
        return replace(at, n, basic_string(count, c).as_view());
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits> basic_string&
    replace(const_iterator first, const_iterator last, const V& text) {
        return replace(index_of(first), static_cast<size_type>(last - first), view(text));
    }
    basic_string& replace(const_iterator first, const_iterator last, const basic_string& text) {
        return replace(index_of(first), static_cast<size_type>(last - first), text.as_view());
    }
    basic_string& replace(const_iterator first, const_iterator last, const C* text) {
        return replace(index_of(first), static_cast<size_type>(last - first), view(text));
    }
    basic_string& replace(const_iterator first, const_iterator last, const C* text, size_type n) {
        return replace(index_of(first), static_cast<size_type>(last - first), view(text, n));
    }
    basic_string& replace(const_iterator first, const_iterator last, size_type n, C c) {
        return replace(index_of(first), static_cast<size_type>(last - first), n, c);
    }
    template <weft::detail::gc_input_iterator It>
    basic_string& replace(const_iterator first, const_iterator last, It from, It to) {
        return replace(first, last, basic_string(from, to));
    }

    [[nodiscard]] basic_string substr(size_type at = 0, size_type n = npos) const {
        return basic_string(as_view().substr(at, n));
    }
    size_type copy(C* to, size_type n, size_type at = 0) const { return as_view().copy(to, n, at); }
    void swap(basic_string& other) noexcept {
        first_.swap(other.first_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    // Members that only look; they are those of a view.
    // ----------------------------------------------------------------------------------
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type find(const V& text, size_type at = 0) const noexcept {
        return as_view().find(view(text), at);
    }
    [[nodiscard]] size_type find(const C* text, size_type at = 0) const {
        return as_view().find(text, at);
    }
    [[nodiscard]] size_type find(const C* text, size_type at, size_type n) const {
        return as_view().find(text, at, n);
    }
    [[nodiscard]] size_type find(C c, size_type at = 0) const noexcept {
        return as_view().find(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type rfind(const V& text, size_type at = npos) const noexcept {
        return as_view().rfind(view(text), at);
    }
    [[nodiscard]] size_type rfind(const C* text, size_type at = npos) const {
        return as_view().rfind(text, at);
    }
    [[nodiscard]] size_type rfind(const C* text, size_type at, size_type n) const {
        return as_view().rfind(text, at, n);
    }
    [[nodiscard]] size_type rfind(C c, size_type at = npos) const noexcept {
        return as_view().rfind(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type find_first_of(const V& text, size_type at = 0) const noexcept {
        return as_view().find_first_of(view(text), at);
    }
    [[nodiscard]] size_type find_first_of(const C* text, size_type at = 0) const {
        return as_view().find_first_of(text, at);
    }
    [[nodiscard]] size_type find_first_of(const C* text, size_type at, size_type n) const {
        return as_view().find_first_of(text, at, n);
    }
    [[nodiscard]] size_type find_first_of(C c, size_type at = 0) const noexcept {
        return as_view().find_first_of(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type find_last_of(const V& text, size_type at = npos) const noexcept {
        return as_view().find_last_of(view(text), at);
    }
    [[nodiscard]] size_type find_last_of(const C* text, size_type at = npos) const {
        return as_view().find_last_of(text, at);
    }
    [[nodiscard]] size_type find_last_of(const C* text, size_type at, size_type n) const {
        return as_view().find_last_of(text, at, n);
    }
    [[nodiscard]] size_type find_last_of(C c, size_type at = npos) const noexcept {
        return as_view().find_last_of(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type find_first_not_of(const V& text, size_type at = 0) const noexcept {
        return as_view().find_first_not_of(view(text), at);
    }
    [[nodiscard]] size_type find_first_not_of(const C* text, size_type at = 0) const {
        return as_view().find_first_not_of(text, at);
    }
    [[nodiscard]] size_type find_first_not_of(const C* text, size_type at, size_type n) const {
        return as_view().find_first_not_of(text, at, n);
    }
    [[nodiscard]] size_type find_first_not_of(C c, size_type at = 0) const noexcept {
        return as_view().find_first_not_of(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] size_type find_last_not_of(const V& text, size_type at = npos) const noexcept {
        return as_view().find_last_not_of(view(text), at);
    }
    [[nodiscard]] size_type find_last_not_of(const C* text, size_type at = npos) const {
        return as_view().find_last_not_of(text, at);
    }
    [[nodiscard]] size_type find_last_not_of(const C* text, size_type at, size_type n) const {
        return as_view().find_last_not_of(text, at, n);
    }
    [[nodiscard]] size_type find_last_not_of(C c, size_type at = npos) const noexcept {
        return as_view().find_last_not_of(c, at);
    }
    template <class V>
    requires weft::detail::gc_view_of<V, C, Traits>
    [[nodiscard]] int compare(const V& text) const noexcept {
        return as_view().compare(view(text));
    }
    [[nodiscard]] int compare(const C* text) const { return as_view().compare(view(text)); }
    template <class V>
    requires(std::is_convertible_v<const V&, view>)
        [[nodiscard]] int compare(size_type at, size_type n, const V& text) const {
        return as_view().compare(at, n, view(text));
    }
    [[nodiscard]] int compare(size_type at, size_type n, const C* text, size_type count) const {
        return as_view().compare(at, n, view(text, count));
    }
    [[nodiscard]] bool starts_with(view text) const noexcept { return as_view().starts_with(text); }
    [[nodiscard]] bool starts_with(C c) const noexcept { return as_view().starts_with(c); }
    [[nodiscard]] bool starts_with(const C* text) const { return as_view().starts_with(text); }
    [[nodiscard]] bool ends_with(view text) const noexcept { return as_view().ends_with(text); }
    [[nodiscard]] bool ends_with(C c) const noexcept { return as_view().ends_with(c); }
    [[nodiscard]] bool ends_with(const C* text) const { return as_view().ends_with(text); }
    [[nodiscard]] bool contains(view text) const noexcept { return as_view().find(text) != npos; }
    [[nodiscard]] bool contains(C c) const noexcept { return as_view().find(c) != npos; }
    [[nodiscard]] bool contains(const C* text) const { return as_view().find(text) != npos; }

    // With strings of other allocators; the others are those of std.
    template <class V>
    requires(weft::detail::gc_view_of<V, C, Traits> && !std::is_same_v<V, basic_string>)
        [[nodiscard]] friend bool
        operator==(const basic_string& a, const V& b) noexcept {
        return a.as_view() == view(b);
    }
    template <class V>
    requires(weft::detail::gc_view_of<V, C, Traits> && !std::is_same_v<V, basic_string>)
        [[nodiscard]] friend auto
        operator<=>(const basic_string& a, const V& b) noexcept {
        return a.as_view() <=> view(b);
    }

private:
    [[nodiscard]] view as_view() const noexcept { return view(data(), size_); }

    // The text of an empty string. Nobody writes to it, except the null that is there.
    static constexpr C nothing[1] = {};

    [[nodiscard]] C* writable() noexcept {
        C* const text = first_.get();
        return text == nullptr ? const_cast<C*>(nothing) : text;
    }
    void check(size_type i) const {
        if (i >= size_) throw std::out_of_range("weft::gc::string::at");
    }
    [[nodiscard]] size_type index_of(const_iterator at) const noexcept {
        return static_cast<size_type>(at - data());
    }
    void end_at(size_type n) noexcept {
        size_ = n;
        Traits::assign(first_.get()[n], C());
    }
    // Without the null.
    [[nodiscard]] static size_type capacity_for(size_type n) noexcept {
        return weft::detail::gc_buffer_capacity<C>(n + 1) - 1;
    }
    void need(size_type n) {
        if (n > capacity_) become(as_view(), {}, {}, n);
    }
    // Three parts in new memory, for at least so many characters.
    void become(view a, view b, view c, size_type least = 0, bool exact = false) {
        const size_type n = a.size() + b.size() + c.size();
        least = std::max(least, n);
        if (least > max_size()) throw std::length_error("weft::gc::string");
        if (!exact) least = std::max(least, 2 * capacity_);
        C* const fresh = weft::detail::gc_allocate_buffer<C>(least + 1);
        Traits::copy(fresh, a.data(), a.size());
        Traits::copy(fresh + a.size(), b.data(), b.size());
        Traits::copy(fresh + a.size() + b.size(), c.data(), c.size());
        first_ = fresh;
        capacity_ = capacity_for(least);
        end_at(n);
    }

    weft::gc::ptr<C> first_;
    size_type size_ = 0;
    size_type capacity_ = 0;
};

template <class C, class Traits>
struct std::hash<std::basic_string<C, Traits, weft::gc::allocator<C>>> {
    std::size_t
    operator()(const std::basic_string<C, Traits, weft::gc::allocator<C>>& text) const noexcept {
        return std::hash<std::basic_string_view<C, Traits>>()(text);
    }
};

namespace weft::detail {
template <class C, class Traits>
inline constexpr bool gc_has_barrier<std::basic_string<C, Traits, gc::allocator<C>>> = true;
}  // namespace weft::detail

namespace weft::gc {

/// std::basic_string with its characters in the collected heap. Trivially destructible, so that an object of the heap
/// with such a member needs no destructor. Three words; short strings have memory of their own, too.
template <class C, class Traits = std::char_traits<C>>
using basic_string = std::basic_string<C, Traits, allocator<C>>;
using string = basic_string<char>;

}  // namespace weft::gc
