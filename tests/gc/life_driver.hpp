// Objects with destructors and weak pointers in a heap that is collected by hand, as the collector does it but at once.
#pragma once

#include "gc/heap_driver.hpp"
#include "gc/life/destructors.hpp"
#include "gc/life/roots.hpp"
#include "gc/life/weak.hpp"

#include <weft/detail/gc_make.hpp>
#include <weft/detail/gc_ptr.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace weft::test {

class life_heap : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(detail::open_heap());
        detail::poison_free_slots = true;
        heap_ = detail::make_local_heap();
        ASSERT_NE(heap_, nullptr);
    }
    void TearDown() override {
        roots_.clear();
        collect();
        while (detail::run_next_destructor()) {}
        detail::forget_all_weak();
        detail::give_local_heap(*heap_);
        detail::finish_sweep();
        detail::poison_free_slots = false;
        detail::close_heap();
    }

    /// Does what gc::make() does, with the heap of the test.
    template <class T, class... Args>
    gc::ptr<T> make(Args&&... args) {
        constexpr gc_kind kind = detail::gc_kind_of<T>;
        constexpr std::size_t bytes = detail::gc_bytes_for(sizeof(T), alignof(T), kind);
        void* const slot = allocate(*heap_, bytes, kind);
        if (slot == nullptr) throw std::bad_alloc();
        T* const made = ::new (detail::gc_align<alignof(T)>(slot)) T(std::forward<Args>(args)...);
        if constexpr (kind == gc_kind::destructible) {
            detail::gc_set_trailer(static_cast<std::byte*>(slot) + detail::gc_room(bytes),
                                   detail::gc_type_of<T>, 1);
        }
        return gc::ptr<T>(made);
    }
    template <class T>
    gc::ptr<T[]> make_array(std::size_t n) {
        constexpr gc_kind kind = detail::gc_kind_of<T>;
        const std::size_t bytes = detail::gc_array_bytes<T>(n);
        void* const slot = allocate(*heap_, bytes, kind);
        if (slot == nullptr) throw std::bad_alloc();
        auto* const first = reinterpret_cast<T*>(detail::gc_align_elements<alignof(T)>(slot));
        reinterpret_cast<std::size_t*>(first)[-1] = n;
        detail::gc_construct_array(first, n);
        if constexpr (kind == gc_kind::destructible) {
            detail::gc_set_trailer(static_cast<std::byte*>(slot) + detail::gc_room(bytes),
                                   detail::gc_type_of<T[]>, n);
        }
        return detail::gc_array_of<T>(first);
    }

    /// Makes the object a root of collect(), which does not look at the test's stack.
    template <class T>
    gc::ptr<T> keep(const gc::ptr<T>& object) {
        roots_.push_back(object.get());
        return object;
    }
    void drop_all() { roots_.clear(); }

    /// A cycle of the collector. Returns how many destructors and cleanups are due behind it, new ones.
    std::size_t collect() {
        using namespace detail;
        finish_sweep();
        begin_weak_marking();
        begin_black(*heap_);
        mark_.begin();
        for (const void* const root : roots_) mark_.grey(word_of(root));
        const auto grey = [this](const void* object) { mark_.grey(word_of(object)); };
        for_each_root(grey);
        for_each_pending(grey);
        while (mark_.drain(SIZE_MAX)) {}
        begin_deciding();
        EXPECT_TRUE(end_deciding());
        clear_dead_weak();
        const std::size_t due = order_dead(mark_);
        while (mark_.drain(SIZE_MAX)) {}
        end_weak_marking();
        local_heap* const heaps[] = {heap_};
        end_marking(heaps);
        while (sweep_some(64)) {}
        return due;
    }
    /// Runs what is due. Returns how many there were.
    static std::size_t run_due() {
        std::size_t n = 0;
        while (detail::run_next_destructor()) ++n;
        return n;
    }

    local_heap* heap_ = nullptr;
    detail::marker mark_;
    std::vector<const void*> roots_;
};

}  // namespace weft::test
