#include "sched/collector.hpp"

#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "sched/machine.hpp"
#include "sched/switch.hpp"

namespace weft::detail {

constinit std::atomic<std::uint32_t> gc_marking{0};
constinit std::atomic<bool> gc_has_opened{false};
constinit std::atomic<const collector_hooks*> collector{nullptr};
constinit std::atomic<std::uint32_t> collector_request{0};

[[gnu::noinline]] void shade_words(const void* words, std::size_t bytes) noexcept {
    WEFT_DEEP;
    collector.load(std::memory_order_acquire)->shade_words(words, bytes);
}

[[gnu::noinline]] void free_unread(void* off_heap) noexcept {
    WEFT_DEEP;
    if (off_heap == nullptr) return;
    const collector_hooks* const hooks = collector.load(std::memory_order_acquire);
    if (hooks == nullptr || (!is_marking() && this_machine() != nullptr)) {
        off_heap_free(off_heap);
        return;
    }
    hooks->free_later(off_heap);
}

[[gnu::noinline]] void tell_of_leaving(machine& m, coroutine& c) noexcept {
    WEFT_DEEP;
    collector.load(std::memory_order_acquire)->leaving(m, c);
}

void receive_visitors(machine& m) noexcept {
    while (coroutine* const visitor = m.visitor) {
        m.visitor = nullptr;
        collector.load(std::memory_order_acquire)->answer(m, visitor);
        resume_coroutine(m, *visitor);
    }
}

void answer_collector_slow(machine& m) noexcept {
    collector.load(std::memory_order_acquire)->answer(m, nullptr);
}

}  // namespace weft::detail
