// What only some coroutines need: name, locals, stop token, deadline, exception. Taken on demand.
#pragma once

#include "sched/coroutine.hpp"
#include <weft/detail/spin_lock.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <stop_token>
#include <string_view>
#include <vector>

namespace weft {
namespace detail {

struct machine;
struct processor;
class deadline_section;
struct unclaimed_note;

/// The values of a coroutine's (or thread's) weft::local variables, by key.
struct local_table {
    std::vector<void*> values;

    local_table() = default;
    local_table(const local_table&) = delete;
    local_table& operator=(const local_table&) = delete;
    ~local_table() { clear(); }
    void clear() noexcept;
};

// Ownership: the coroutine's own, but for `lock`, and for `name`, `stop` and `owner`, which others read
// under it. Type-stable: a deadline's timer may outlive its coroutine, and finds the epoch gone on.
struct coroutine_extras {
    coroutine_extras* link = nullptr;  // The pool's.
    spin_lock lock;
    coroutine* owner = nullptr;
    std::array<char, 64> name{};  // Ends with a 0.
    std::stop_source stop{std::nostopstate};

    local_table locals;
    std::exception_ptr error;
    unclaimed_note* unclaimed = nullptr;  // While nobody has taken that; see unclaimed.hpp.

    // [ epoch : 62 | firing : 1 | armed : 1 ]: the timer that carries this word is the one in force.
    std::atomic<std::uint64_t> deadline_word{0};
    processor* deadline_home = nullptr;     // Whose heap the timer is in.
    deadline_section* deadlines = nullptr;  // Innermost with_timeout.

    relaxed<machine*> locked_to{nullptr};  // thread_lock
    unsigned lock_depth = 0;
    relaxed<unsigned> swallowed{0};  // Cancellations thrown so far.
    unsigned no_cancel_beyond = 0;   // Those above no_cancel_full; 0 unless the descriptor is full.
    relaxed<void*> tsan_fiber{nullptr};

    // The pool calls these for some that are home; see fixed_pool. Timers of old deadlines may still name them, and a reader of the
    // name may be about to take the lock. strip() takes it and leaves it locked: the zeroes unlock it.
    [[nodiscard]] std::uint64_t strip() noexcept;
    void dress(std::uint64_t last_deadline) noexcept;
};

enum deadline_bits : std::uint64_t { deadline_armed = 1, deadline_firing = 2, deadline_epoch = 4 };

/// The coroutine's extras, taken from the pool on first use. Throws std::bad_alloc. The coroutine itself,
/// or whoever spawns it.
[[nodiscard]] coroutine_extras& extras_of(coroutine& c);

/// Null when it has none.
[[nodiscard]] inline coroutine_extras* peek_extras(const coroutine& c) noexcept {
    return c.extras.load(std::memory_order_acquire);
}

/// Destroys what they hold and gives them back.
void drop_extras(coroutine& c) noexcept;

/// The calling coroutine has no thread_lock any more. In attributes.cpp.
void unlock_thread(coroutine& self, coroutine_extras& extras) noexcept;

void set_coroutine_name(coroutine& c, std::string_view name);

/// Copies the name, cut to fit; returns its length. Any thread.
std::size_t copy_name(const coroutine& c, std::array<char, 64>& into) noexcept;

}  // namespace detail
}  // namespace weft
