// The members of a join_set that have ended.
#include <weft/join_set.hpp>

#include <mutex>
#include <utility>

namespace weft::detail {

join_set_queue::~join_set_queue() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next);
}

void join_set_queue::finish(join_set_member& m) {
    // acq_rel: the second to come has all that the first did before.
    if (m.done.fetch_add(1, std::memory_order_acq_rel) == 0) return;
    {
        const std::lock_guard hold(lock_);
        *end_ = &m;
        end_ = &m.next;
    }
    listed_.release();
}

std::unique_ptr<join_set_member> join_set_queue::take() {
    listed_.acquire();
    const std::lock_guard hold(lock_);
    join_set_member* const m = std::exchange(first_, first_->next);
    if (first_ == nullptr) end_ = &first_;
    m->next = nullptr;
    return std::unique_ptr<join_set_member>(m);
}

void join_set_queue::put_back(std::unique_ptr<join_set_member> m) {
    {
        const std::lock_guard hold(lock_);
        m->next = first_;
        if (first_ == nullptr) end_ = &m->next;
        first_ = m.release();
    }
    listed_.release();
}

}  // namespace weft::detail
