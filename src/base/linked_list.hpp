// A list through `previous` and `next` inside the element: no allocation, no ownership, and out of the middle in one step.
#pragma once

namespace weft::detail {

/// Not synchronised. An element is in one such list at a time.
template <class T>
class linked_list {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    /// Null when there is none.
    [[nodiscard]] T* first() const noexcept { return first_; }
    [[nodiscard]] T* last() const noexcept { return last_; }

    void push_front(T& element) noexcept {
        element.previous = nullptr;
        element.next = first_;
        (first_ == nullptr ? last_ : first_->previous) = &element;
        first_ = &element;
    }
    void push_back(T& element) noexcept {
        element.next = nullptr;
        element.previous = last_;
        (last_ == nullptr ? first_ : last_->next) = &element;
        last_ = &element;
    }
    /// The element must be in this list.
    void remove(T& element) noexcept {
        (element.previous == nullptr ? first_ : element.previous->next) = element.next;
        (element.next == nullptr ? last_ : element.next->previous) = element.previous;
    }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
};

}  // namespace weft::detail
