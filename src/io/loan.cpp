#include "io/loan.hpp"

#include "base/config.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include <weft/detail/spin_lock.hpp>

#include <array>
#include <mutex>
#include <new>

namespace weft::detail {
namespace {

// So many are kept. What is read comes and goes within the dispatch, mostly, so there are about as many as processors.
constexpr std::size_t kept_most = tiny_limits ? 2 : 64;

struct loan_pool {
    spin_lock lock;
    std::size_t count = 0;
    std::array<std::byte*, kept_most> kept{};
};
constinit loan_pool pool;

}  // namespace

[[gnu::noinline]] std::byte* take_loan() noexcept {
    WEFT_DEEP;
    {
        const std::lock_guard hold(pool.lock);
        if (pool.count != 0) return pool.kept[--pool.count];
    }
    try {
        return static_cast<std::byte*>(off_heap_allocate(loan_size, 64));
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

[[gnu::noinline]] void give_loan(std::byte* memory) noexcept {
    WEFT_DEEP;
    {
        const std::lock_guard hold(pool.lock);
        if (pool.count != kept_most) {
            pool.kept[pool.count++] = memory;
            return;
        }
    }
    off_heap_free(memory);
}

}  // namespace weft::detail
