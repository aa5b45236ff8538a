// The record that debuggers read, held against the objects that it describes.
#include "report/debug_layout.hpp"

#include "sched/coroutine.hpp"
#include "sched/extras.hpp"
#include "sched/machine.hpp"
#include "sched/processor.hpp"
#include "sched/scheduler.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include <elf.h>
#include <link.h>

namespace weft::detail {
namespace {

std::uint64_t value_of(std::string_view name) {
    for (std::uint32_t i = 0; i != weft_debug_layout.entry_count; ++i) {
        if (weft_debug_layout.entries[i].name == name) return weft_debug_layout.entries[i].value;
    }
    ADD_FAILURE() << "no entry " << name;
    return 0;
}

template <class Whole, class Part>
std::uint64_t distance(const Whole& whole, const Part& part) {
    return reinterpret_cast<std::uintptr_t>(&part) - reinterpret_cast<std::uintptr_t>(&whole);
}

TEST(DebugLayout, NamesWhereThingsAre) {
    EXPECT_EQ(std::string(weft_debug_layout.magic), "weftdbg");
    EXPECT_EQ(weft_debug_layout.scheduler, &sched);
    EXPECT_NE(weft_debug_layout.dump, nullptr);
    EXPECT_LT(weft_debug_layout.entry_count, debug_layout::entries_max);

    const auto c = std::make_unique<coroutine>();
    EXPECT_EQ(value_of("co.size"), sizeof(coroutine));
    EXPECT_EQ(value_of("co.context"), distance(*c, c->context));
    EXPECT_EQ(value_of("co.state"), distance(*c, c->state));
    EXPECT_EQ(value_of("co.traits"), distance(*c, c->traits));
    EXPECT_EQ(value_of("co.link"), distance(*c, c->link));
    EXPECT_EQ(value_of("co.stack"), distance(*c, c->stack));
    EXPECT_EQ(value_of("co.id"), distance(*c, c->id));
    EXPECT_EQ(value_of("co.file"), distance(*c, c->file));
    EXPECT_EQ(value_of("co.line_low"), distance(*c, c->line_low));
    EXPECT_EQ(value_of("co.line_high"), distance(*c, c->line_high));
    EXPECT_EQ(value_of("co.extras"), distance(*c, c->extras));
    const auto x = std::make_unique<coroutine_extras>();
    EXPECT_EQ(value_of("extras.name"), distance(*x, x->name));
    const auto m = std::make_unique<machine>();
    EXPECT_EQ(value_of("m.current"), distance(*m, m->current));
    EXPECT_EQ(value_of("m.thread_id"), distance(*m, m->thread_id));
    const auto p = std::make_unique<processor>(0, false, 1);
    EXPECT_EQ(value_of("p.index"), distance(*p, p->index));
    EXPECT_EQ(value_of("p.holder"), distance(*p, p->holder));
    EXPECT_EQ(value_of("p.tick"), distance(*p, p->tick));
    EXPECT_EQ(value_of("sched.processors"), distance(sched, sched.processors));
    EXPECT_EQ(value_of("sched.slot_count"), distance(sched, sched.slot_count));
}

// As the script reads it: from the scheduler to a descriptor, and to the sleeper's word.
TEST(DebugLayout, LeadsToTheDescriptors) {
    coroutine* const taken = sched.coroutines.take();
    ASSERT_NE(taken, nullptr);
    const auto word_at = [](std::uintptr_t at) {
        return *reinterpret_cast<const volatile std::uint64_t*>(at);
    };
    const auto base = reinterpret_cast<std::uintptr_t>(weft_debug_layout.scheduler);
    bool found = false;
    for (std::uintptr_t slab = word_at(base + value_of("sched.slabs")); slab != 0;
         slab = word_at(slab + value_of("slab.next"))) {
        const std::uint64_t count = word_at(slab + value_of("slab.constructed"));
        for (std::uint64_t i = 0; i != count; ++i) {
            const std::uintptr_t at = slab + value_of("slab.first") + i * value_of("co.size");
            found = found || at == reinterpret_cast<std::uintptr_t>(taken);
        }
    }
    EXPECT_TRUE(found);

    const ticket t = taken->begin_wait(true, false, wait_kind::semaphore);
    const std::uint64_t word =
        word_at(reinterpret_cast<std::uintptr_t>(taken) + value_of("co.word"));
    EXPECT_EQ(word, t.word);
    EXPECT_EQ(word & value_of("word.reason_mask"), value_of("word.cancellable"));
    const std::uint64_t kind = word >> value_of("word.kind_shift") & value_of("word.kind_mask");
    EXPECT_EQ(std::string(weft_debug_layout.kinds[kind]), "semaphore");
    EXPECT_TRUE(sleeper::claim(t, wake_reason::none));
    sched.coroutines.give(*taken);
}

TEST(DebugLayout, HasAWholeNameForEachKindOfWait) {
    for (unsigned i = 1; i <= static_cast<unsigned>(last_wait_kind); ++i) {
        EXPECT_EQ(std::string(weft_debug_layout.kinds[i]), name_of(static_cast<wait_kind>(i)));
    }
}

// What is there when the program is stripped.
TEST(DebugLayout, IsNamedByANote) {
    struct search {
        std::uintptr_t record = 0;
    } found;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* into) {
            for (unsigned i = 0; i != info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                if (header.p_type != PT_NOTE) continue;
                std::uintptr_t at = info->dlpi_addr + header.p_vaddr;
                const std::uintptr_t end = at + header.p_memsz;
                while (at + sizeof(ElfW(Nhdr)) <= end) {
                    const auto& note = *reinterpret_cast<const ElfW(Nhdr)*>(at);
                    const auto* const name = reinterpret_cast<const char*>(at + sizeof(note));
                    const std::uintptr_t text = at + sizeof(note) + (note.n_namesz + 3) / 4 * 4;
                    if (note.n_namesz == 5 && std::string_view(name, 4) == "weft") {
                        static_cast<search*>(into)->record =
                            text + static_cast<std::uintptr_t>(
                                       *reinterpret_cast<const std::int32_t*>(text));
                    }
                    at = text + (note.n_descsz + 3) / 4 * 4;
                }
            }
            return 0;
        },
        &found);
    EXPECT_EQ(found.record, reinterpret_cast<std::uintptr_t>(&weft_debug_layout));
}

}  // namespace
}  // namespace weft::detail
