// Lists through a link inside the element: no allocation, no ownership.
#pragma once

#include <cstddef>
#include <utility>

namespace weft::detail {

/// First in, first out, through `Link`, a `T*` member. Not synchronised.
template <class T, T* T::*Link>
class intrusive_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(T& element) noexcept {
        element.*Link = nullptr;
        if (head_ == nullptr) {
            head_ = &element;
        } else {
            tail_->*Link = &element;
        }
        tail_ = &element;
        ++size_;
    }

    T* pop() noexcept {
        T* const first = head_;
        if (first != nullptr) {
            head_ = first->*Link;
            --size_;
        }
        return first;
    }

    /// Takes `element` out, wherever it is; false when it is not in the queue. Linear.
    bool remove(T& element) noexcept {
        T* before = nullptr;
        for (T* at = head_; at != nullptr; before = at, at = at->*Link) {
            if (at != &element) continue;
            (before == nullptr ? head_ : before->*Link) = at->*Link;
            if (tail_ == at) tail_ = before;
            --size_;
            return true;
        }
        return false;
    }

private:
    T* head_ = nullptr;
    T* tail_ = nullptr;
    std::size_t size_ = 0;
};

/// Last in, first out, likewise.
template <class T, T* T::*Link>
class intrusive_stack {
public:
    [[nodiscard]] bool empty() const noexcept { return top_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* top() const noexcept { return top_; }

    void push(T& element) noexcept {
        element.*Link = top_;
        top_ = &element;
        ++size_;
    }

    T* pop() noexcept {
        T* const first = top_;
        if (first != nullptr) {
            top_ = first->*Link;
            --size_;
        }
        return first;
    }

    template <class F>
    void for_each(F&& f) {
        for (T* at = top_; at != nullptr; at = at->*Link) f(*at);
    }

    /// Takes `element` out, wherever it is; false when it is not in the list. Linear.
    bool remove(T& element) noexcept {
        for (T** at = &top_; *at != nullptr; at = &((*at)->*Link)) {
            if (*at != &element) continue;
            *at = element.*Link;
            --size_;
            return true;
        }
        return false;
    }

private:
    T* top_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace weft::detail
