#include "sync/holder.hpp"

#include <weft/sync/mutex.hpp>
#include <weft/sync/shared_mutex.hpp>

namespace weft::detail {

// A lock has its owner in its word, because a second lock by the same agent must be refused. So nothing is recorded for
// reports alone.
lock_holder holder_of(wait_kind kind, const void* object) noexcept {
    switch (kind) {
    case wait_kind::mutex:
    case wait_kind::once:
        return {static_cast<const mutex_core*>(object)->owner(), 0};
    case wait_kind::shared_mutex: {
        const auto& lock = *static_cast<const shared_mutex_core*>(object);
        return {lock.writer_agent(), lock.reader_count()};
    }
    default:
        return {};
    }
}

}  // namespace weft::detail
