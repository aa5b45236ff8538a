// The end of a coroutine as a channel that is closed then, so that select can wait for it.
//
// The channel is made for the first on_join() of a handle, and found again by later ones. The watch holds a reference; so does
// each case. It carries nothing: the result stays where join() takes it from.
#include <weft/chan.hpp>
#include <weft/select.hpp>

#include "base/assert.hpp"
#include "base/off_heap.hpp"
#include "base/stack_facts.hpp"
#include "chan/channel_steps.hpp"
#include "sched/join_watch.hpp"
#include "sched/scheduler.hpp"

#include <new>
#include <stdexcept>

namespace weft::detail {
namespace {

struct end_channel_watch : join_watch {
    channel_core* channel = nullptr;
};

// As drop_handle(). But nothing of the program's is in such a channel, so this may be done on the scheduler stack.
void drop_end_channel(channel_core& c) noexcept {
    if (c.handles.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    WEFT_ASSERT(c.owner == nullptr && c.drop == nullptr && c.receivers.empty());
    c.~channel_core();
    off_heap_free(&c);
}

void over(join_watch& watch, bool ended) noexcept {
    WEFT_CALLED_AS("join_watch");
    auto& mine = static_cast<end_channel_watch&>(watch);
    if (ended) close_at_end(*mine.channel);
    drop_end_channel(*mine.channel);
    off_heap_delete(&mine);
}

channel_core* new_channel() { return make_channel(0, cell_size_of<unit>, false, false, nullptr); }

}  // namespace

channel_core* end_channel_of(coroutine* c) {
    if (c == nullptr) throw_not_joinable();
    for (;;) {
        // acquire: with a watch comes what is in it.
        std::uintptr_t word = c->join.load(std::memory_order_acquire);
        if (word == join_finishing || word == join_done) {
            channel_core* const closed = new_channel();
            close_at_end(*closed);
            return closed;
        }
        if (word != join_none && !is_watched(word)) {
            throw std::logic_error("weft: on_join() of a coroutine that somebody joins");
        }
        // Ours while it is out of the word: its end may not free it meanwhile.
        if (is_watched(word) &&
            !c->join.compare_exchange_strong(word, join_none, std::memory_order_acq_rel)) {
            continue;
        }
        end_channel_watch* watch = nullptr;
        if (is_watched(word)) {
            watch = static_cast<end_channel_watch*>(&watch_of(word));
        } else {
            watch = off_heap_new<end_channel_watch>();
            watch->over = &over;
            try {
                watch->channel = new_channel();
            } catch (...) {
                off_heap_delete(watch);
                throw;
            }
        }
        channel_core* const channel = watch->channel;
        add_handle(channel);
        std::uintptr_t none = join_none;
        // release: the watch is whole for who ends it.
        if (!c->join.compare_exchange_strong(none, join_word_of(*watch),
                                             std::memory_order_acq_rel)) {
            over(*watch, true);  // It has ended since.
        }
        return channel;
    }
}

}  // namespace weft::detail
