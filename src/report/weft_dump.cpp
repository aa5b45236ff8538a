// weft_dump(), for debuggers.
//
// The thread that a debugger has stopped may hold any lock, that of malloc too, so nothing here waits for one or allocates. The
// other threads may run meanwhile, or be stopped: what is read may be out of date at once, or of two coroutines that follow
// each other in a descriptor, which the id tells. Stacks are not walked, because a coroutine that nobody has claimed may
// be switched to meanwhile.
#include "base/print.hpp"
#include "report/debug_layout.hpp"
#include "report/unclaimed_text.hpp"
#include "sched/identity.hpp"
#include "sched/scheduler.hpp"
#include "sched/wait.hpp"

#include <string_view>

namespace weft::detail {
namespace {

void print_state(printer& out, const coroutine& c, co_state state) noexcept {
    if ((c.traits & trait_blocking) != 0) {
        out << "in a blocking call";
    } else if (state == co_state::runnable) {
        out << "runnable, not started";
    } else if (state == co_state::running) {
        out << "running";
    } else if (c.waiting_epoch() == 0) {
        out << "runnable";
    } else if (c.kind() == wait_kind::other) {
        out << "parked";
    } else {
        out << std::string_view(name_of(c.kind()));
        const void* const object = waits_on(c);
        if (object != nullptr && c.kind() == wait_kind::join) {
            out << " of coroutine " << static_cast<const coroutine*>(object)->id.get();
        } else if (object != nullptr && c.kind() != wait_kind::select) {
            out << " ";
            out.hex(reinterpret_cast<std::uintptr_t>(object));
        }
    }
}

}  // namespace
}  // namespace weft::detail

void weft_dump() {
    using namespace weft::detail;
    std::uint64_t count = 0;
    sched.coroutines.for_each([&](const coroutine& c) {
        const co_state state = c.state.load(std::memory_order_acquire);
        const std::uint64_t id = c.id;
        if (state == co_state::dead || id == 0) return;
        ++count;
        printer out;
        print_coroutine_at_once(out, c);
        out << " [";
        print_state(out, c, state);
        out << "], ";
        print_origin(out, c.created_at());
        out << "\n";
        if (c.id == id) out.flush();
    });
    peek_unclaimed([](const unclaimed_end& what) {
        printer out;
        print_unclaimed(out, what, false);
        out.flush();
    });
    printer out;
    out << count << (count == 1 ? " coroutine\n" : " coroutines\n");
    out.flush();
}
