#include "report/debug_layout.hpp"

#include "arch/parked_frame.hpp"
#include "sched/coroutine.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"
#include "sched/sleeper.hpp"

#include <string_view>

// Descriptors derive from a sleeper, and so are no standard-layout types; both compilers know their offsets all the same.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace weft::detail {
namespace {

using descriptors = decltype(scheduler::coroutines);

template <std::size_t N>
constexpr void copy_text(char (&to)[N], std::string_view text) {
    for (std::size_t i = 0; i != text.size() && i + 1 < N; ++i) to[i] = text[i];
}

constexpr debug_layout make_layout() {
    debug_layout layout{};
    copy_text(layout.magic, "weftdbg");
    layout.version = 1;
    layout.scheduler = &sched;
    layout.dump = &weft_dump;
    const auto add = [&](std::string_view name, std::uint64_t value) {
        debug_entry& e = layout.entries[layout.entry_count++];
        copy_text(e.name, name);
        e.value = value;
    };
    add("sched.slabs", offsetof(scheduler, coroutines) + descriptors::slabs_offset());
    add("sched.processors", offsetof(scheduler, processors));
    add("sched.slot_count", offsetof(scheduler, slot_count));
    add("slab.next", descriptors::next_offset());
    add("slab.constructed", descriptors::constructed_offset());
    add("slab.first", descriptors::first_offset());
    add("co.size", sizeof(coroutine));
    add("co.word", sleeper::word_offset());
    add("co.context", offsetof(coroutine, context));
    add("co.state", offsetof(coroutine, state));
    add("co.traits", offsetof(coroutine, traits));
    add("co.link", offsetof(coroutine, link));
    add("co.stack", offsetof(coroutine, stack));
    add("co.id", offsetof(coroutine, id));
    add("co.file", offsetof(coroutine, file));
    add("co.line_low", offsetof(coroutine, line_low));
    add("co.line_high", offsetof(coroutine, line_high));
    add("co.extras", offsetof(coroutine, extras));
    add("extras.name", offsetof(coroutine_extras, name));
    add("p.index", offsetof(processor, index));
    add("p.holder", offsetof(processor, holder));
    add("p.tick", offsetof(processor, tick));
    add("m.current", offsetof(machine, current));
    add("m.thread_id", offsetof(machine, thread_id));
    add("state.runnable", static_cast<std::uint64_t>(co_state::runnable));
    add("state.running", static_cast<std::uint64_t>(co_state::running));
    add("state.parking", static_cast<std::uint64_t>(co_state::parking));
    add("state.parked", static_cast<std::uint64_t>(co_state::parked));
    add("trait.blocking", trait_blocking);
    add("word.kind_shift", sleeper::kind_bits_at());
    add("word.kind_mask", sleeper::kind_bits());
    add("word.reason_mask", sleeper::reason_bits());
    add("word.waiting", static_cast<std::uint64_t>(wake_reason::waiting));
    add("word.cancellable", static_cast<std::uint64_t>(wake_reason::cancellable));
    layout.resume = parked_resume;
    for (const saved_register& r : parked_frame) add(r.name, r.offset);
    copy_text(layout.kinds[0], "parked");
    for (std::size_t i = 1; i <= static_cast<std::size_t>(last_wait_kind); ++i) {
        copy_text(layout.kinds[i], name_of(static_cast<wait_kind>(i)));
    }
    return layout;
}

}  // namespace

void keep_debug_layout() noexcept { asm volatile("" ::"r"(&weft_debug_layout)); }

}  // namespace weft::detail

// Used: the asm below names it, which no optimiser sees.
// NOLINTNEXTLINE(cert-err58-cpp): constinit.
[[gnu::used]] constinit const weft::detail::debug_layout weft_debug_layout =
    weft::detail::make_layout();

#if defined(__ELF__)
asm(".pushsection .note.weft, \"a\", %note\n"
    "\t.balign 4\n"
    "\t.long 5, 4, 1\n"
    "\t.asciz \"weft\"\n"
    "\t.balign 4\n"
    "\t.long weft_debug_layout - .\n"
    "\t.popsection");
#endif
