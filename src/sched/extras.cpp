#include "sched/extras.hpp"

#include "base/stack_facts.hpp"
#include "sched/scheduler.hpp"
#include "sched/unclaimed.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

namespace weft::detail {

[[gnu::noinline]] coroutine_extras& extras_of(coroutine& c) {
    WEFT_DEEP;
    if (coroutine_extras* const there = c.extras.load(std::memory_order_relaxed)) return *there;
    coroutine_extras* const fresh = sched.extras.take();
    if (fresh == nullptr) throw std::bad_alloc();
    {
        const std::lock_guard hold(fresh->lock);
        fresh->owner = &c;
    }
    c.extras.store(fresh, std::memory_order_release);
    return *fresh;
}

void drop_extras(coroutine& c) noexcept {
    coroutine_extras* const extras = c.extras.load(std::memory_order_relaxed);
    if (extras == nullptr) return;
    c.extras.store(nullptr, std::memory_order_relaxed);
    if (extras->unclaimed != nullptr) forget_unclaimed(*extras);
    extras->locals.clear();
    std::stop_source stop{std::nostopstate};
    std::exception_ptr error;
    {
        const std::lock_guard hold(extras->lock);
        extras->owner = nullptr;
        extras->name[0] = '\0';
        std::swap(stop, extras->stop);
    }
    std::swap(error, extras->error);
    extras->deadlines = nullptr;
    extras->locked_to = nullptr;
    extras->lock_depth = 0;
    extras->swallowed = 0;
    extras->no_cancel_beyond = 0;
    sched.extras.give(*extras);
}

std::uint64_t coroutine_extras::strip() noexcept {
    lock.lock();
    std::destroy_at(&stop);
    std::destroy_at(&locals);
    std::destroy_at(&error);
    // A simulation may have dropped it with a deadline in force, so the next one begins behind that.
    return (deadline_word.load(std::memory_order_relaxed) | (deadline_epoch - 1)) + 1;
}

void coroutine_extras::dress(std::uint64_t last_deadline) noexcept {
    std::construct_at(&stop, std::nostopstate);
    std::construct_at(&locals);
    std::construct_at(&error);
    deadline_word.store(last_deadline, std::memory_order_relaxed);
}

void set_coroutine_name(coroutine& c, std::string_view name) {
    coroutine_extras& extras = extras_of(c);
    const std::lock_guard hold(extras.lock);
    const std::size_t size = std::min(name.size(), extras.name.size() - 1);
    std::memmove(extras.name.data(), name.data(), size);  // It may be part of the old one.
    extras.name[size] = '\0';
}

std::size_t copy_name(const coroutine& c, std::array<char, 64>& into) noexcept {
    into[0] = '\0';
    coroutine_extras* const extras = peek_extras(c);
    if (extras == nullptr) return 0;
    const std::lock_guard hold(extras->lock);
    if (extras->owner == &c) into = extras->name;
    return std::strlen(into.data());
}

}  // namespace weft::detail
