#include <weft/select.hpp>

#include "arch/calls.hpp"
#include "chan/lock_order.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <stdexcept>

namespace weft {

using namespace detail;

std::size_t select_set::insert(std::shared_ptr<any_case> one) {
    const auto from = cases_.begin() + static_cast<std::ptrdiff_t>(first_free_);
    const auto free = std::find(from, cases_.end(), nullptr);
    const auto index = static_cast<std::size_t>(free - cases_.begin());
    if (free == cases_.end()) {
        cases_.push_back(std::move(one));
    } else {
        *free = std::move(one);
    }
    ++size_;
    first_free_ = index + 1;
    lock_order_.clear();  // It names places in a table that has one more now.
    return index;
}

void select_set::remove(std::size_t index) {
    if (index >= cases_.size() || cases_[index] == nullptr) {
        throw std::out_of_range(
            "weft: select_set: there is no case of this index; use what add() returned, once");
    }
    // Destroyed when the set is whole again: a destructor may use it.
    std::shared_ptr<any_case> one = std::exchange(cases_[index], nullptr);
    --size_;
    first_free_ = std::min(first_free_, index);
    lock_order_.clear();
    call_user([&one] { one.reset(); });
}

namespace {

// Room for so many, without an allocation when there are few.
template <class T>
class room {
public:
    explicit room(std::size_t count) {
        if (count > few_.size()) many_.resize(count);
    }
    [[nodiscard]] T* data() noexcept { return many_.empty() ? few_.data() : many_.data(); }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }

private:
    std::array<T, 8> few_;  // Not {}: that would write zeroes over the room of the waiters, too.
    std::vector<T> many_;
};

struct entry {
    std::shared_ptr<any_case> held;
    std::size_t index = 0;
};

}  // namespace

// The cases are held for the time of a wait: a function may remove them.
std::size_t select_set::run(bool waits) {
    room<entry> live(size_);
    room<select_case> table(size_);
    select_plan plan;
    if (!waits) plan.deadline = chan_tries;
    std::size_t count = 0;
    for (std::size_t i = 0; i != cases_.size(); ++i) {
        if (cases_[i] == nullptr) continue;
        live[count] = {cases_[i], i};
        live[count].held->arm(count, table[count], plan);
        ++count;
    }
    const bool many = count > few_to_sort;
    if (many) order_locks(std::span(table.data(), count), lock_order_);
    const selected result = select_cells(table.data(), count, plan.deadline, many);
    const std::size_t chosen = plan.chosen(result);
    if (chosen == no_case) return no_case;
    call_user([&] { live[chosen].held->run(result); });
    return live[chosen].index;
}

std::size_t select_set::wait() { return run(true); }

std::optional<std::size_t> select_set::try_wait() {
    const std::size_t index = run(false);
    if (index == no_case) return std::nullopt;
    return index;
}

}  // namespace weft
