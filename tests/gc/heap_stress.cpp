// The heap and the marker under random programs.
//
// HeapModel: one thread, several local heaps, and a collection that goes on step by step between
// the program's operations. A shadow model knows each object, so it says exactly what is reachable.
//
// HeapStress: a mutator per thread and a collector, who share nothing but the heap and what a
// runtime would have: a flag, requests and answers, buffers of shaded pointers. Contents say
// whether an object was freed under its owner.
//
// Without the barrier (shade(), store()) the model fails in each run, and the threads fail in about
// three of four. The model also fails when marking ends after one round of stacks.
#include "gc/heap/heap.hpp"

#include "base/config.hpp"
#include "base/random.hpp"
#include "gc/heap_driver.hpp"
#include "support/stress.hpp"
#include "support/watchdog.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::detail {

struct gc_type {
    int number;
};

namespace {

using test::allocate;
using test::word_of;

constexpr gc_type some_type{1};

using id_type = std::uint32_t;
constexpr id_type nobody = ~id_type{0};

// No address of user space.
constexpr std::uint64_t content_of(std::uint64_t number) noexcept {
    return number | std::uint64_t{0xa5a5} << 48;
}

// A few tens of bytes most of the time, and each size class, and large ones.
std::size_t random_size(random_source& random) {
    switch (random.below(16)) {
    case 0:
        return 16 + random.below(8177);
    case 1:
        return 16 + random.below(1009);
    case 2:
        return random.below(8) != 0 ? 64
                                    : 8193 + random.below(random.below(8) != 0 ? 30'000 : 400'000);
    default:
        return 16 + random.below(113);
    }
}

gc_kind random_kind(random_source& random) { return static_cast<gc_kind>(random.below(gc_kinds)); }

// ---------------------------------------------------------------- the model

class model {
public:
    explicit model(std::uint64_t seed) : random_(seed) {
        for (mutator& m : mutators_) m.heap = make_local_heap();
    }
    ~model() {
        for (mutator& m : mutators_) give_local_heap(*m.heap);
    }
    model(const model&) = delete;
    model& operator=(const model&) = delete;

    void run(std::uint64_t operations) {
        for (std::uint64_t i = 0; i != operations && !failed(); ++i) {
            operate(mutators_[random_.below(mutator_count)]);
            if (random_.below(8) == 0) step();
        }
        while (phase_ != phase::idle && !failed()) step();
        count_what_is_left();
    }

    std::uint64_t cycles() const { return cycles_; }

private:
    static constexpr std::size_t mutator_count = 3;
    static constexpr std::size_t stack_max = 60;
    static constexpr std::size_t fields_max = 6;

    struct object {
        std::byte* base;
        std::size_t bytes;   // Asked for.
        std::size_t extent;  // Reserved.
        gc_kind kind;
        std::array<id_type, fields_max> fields;
        std::size_t field_count;
        bool condemned;  // Was unreachable when marking ended.
        bool destroyed;  // Its destructor has had its turn.
    };
    struct mutator {
        local_heap* heap = nullptr;
        std::vector<id_type> stack;
        std::vector<std::uintptr_t> shaded;
        bool barrier = false;
        bool answered = true;
    };
    enum class phase { idle, barrier_on, black_on, tracing, round, last };

    static bool failed() { return ::testing::Test::HasFailure(); }

    object& at(id_type id) { return objects_[id]; }

    // Fields lie at the object's beginning, middle and end.
    std::uintptr_t* field(const object& o, std::size_t i) const {
        const std::size_t words = o.bytes / 8 - (o.kind == gc_kind::destructible ? 2 : 0);
        const std::size_t place = 1 + i * (words - 1) / (o.field_count == 0 ? 1 : o.field_count);
        return reinterpret_cast<std::uintptr_t*>(o.base) + place;
    }

    // ---------------------------------------------------------------- operations

    void operate(mutator& m) {
        switch (random_.below(16)) {
        case 12:
        case 13:
        case 14:
        case 15:
            return move(m);
        case 0:
        case 1:
        case 2:
        case 3:
            return make(m);
        case 4:
        case 5:
        case 6:
            return store(m);
        case 7:
        case 8:
            return load(m);
        case 9:
            return use_root(m);
        case 10:
            if (!m.stack.empty()) {
                m.stack.erase(m.stack.begin() + random_.below(size_of(m.stack)));
            }
            return;
        default:
            if (random_.below(60) == 0) replace_heap(m);
            return check(m);
        }
    }

    static std::uint32_t size_of(const std::vector<id_type>& stack) {
        return static_cast<std::uint32_t>(stack.size());
    }
    id_type some(const mutator& m) {
        return m.stack.empty() ? nobody : m.stack[random_.below(size_of(m.stack))];
    }
    void push(mutator& m, id_type id) {
        if (m.stack.size() < stack_max) {
            m.stack.push_back(id);
        } else {
            m.stack[random_.below(size_of(m.stack))] = id;
        }
    }

    void make(mutator& m) {
        const gc_kind kind = random_kind(random_);
        std::size_t bytes = random_size(random_);
        if (kind == gc_kind::destructible) bytes += 16;
        const std::size_t extent = bytes <= gc_small_max ? gc_slot_size(gc_layout(bytes, kind))
                                                         : (bytes + 8191) / 8192 * 8192;
        auto* const base = static_cast<std::byte*>(allocate(*m.heap, bytes, kind));
        ASSERT_NE(base, nullptr);
        for (std::size_t word = 0; word != bytes / 8; ++word) {
            ASSERT_EQ(reinterpret_cast<const std::uint64_t*>(base)[word], 0u) << "it is not zeroed";
        }
        forget_what_was_at(word_of(base), extent);

        const auto id = static_cast<id_type>(objects_.size());
        object o{base, bytes / 8 * 8, extent, kind, {}, 0, false, false};
        o.fields.fill(nobody);
        if (kind != gc_kind::pointer_free) {
            const std::size_t words = o.bytes / 8 - (kind == gc_kind::destructible ? 2 : 0);
            o.field_count = std::min(fields_max, words - 1);
        }
        *reinterpret_cast<std::uint64_t*>(base) = content_of(id);
        if (kind == gc_kind::destructible && random_.below(8) != 0) {
            object_ref found;
            ASSERT_TRUE(find_object(word_of(base), found));
            trailer_of(found) = {&some_type, id};
        }
        objects_.push_back(o);
        extents_.emplace(word_of(base), id);
        push(m, id);
    }

    // Whatever was there has to be dead.
    void forget_what_was_at(std::uintptr_t base, std::size_t extent) {
        auto next = extents_.lower_bound(base);
        if (next != extents_.begin()) {
            const auto before = std::prev(next);
            if (before->first + at(before->second).extent > base) next = before;
        }
        while (next != extents_.end() && next->first < base + extent) {
            ASSERT_TRUE(at(next->second).condemned)
                << "object " << next->second << " lives, and its slot was given away";
            next = extents_.erase(next);
        }
    }

    void store(mutator& m) {
        const id_type holder = some(m);
        if (holder == nobody) return;
        object& o = at(holder);
        if (o.field_count == 0) return;
        const std::size_t i = random_.below(static_cast<std::uint32_t>(o.field_count));
        const id_type value = random_.below(5) == 0 ? nobody : some(m);
        o.fields[i] = value;
        const std::uintptr_t word = pointer_to(value);
        *field(o, i) = word;
        shade(m, word);
    }

    // Into the object, or just to its beginning.
    std::uintptr_t pointer_to(id_type id) {
        if (id == nobody) return 0;
        const object& o = at(id);
        return word_of(o.base) +
               (random_.below(3) == 0 ? random_.below(static_cast<std::uint32_t>(o.bytes)) : 0);
    }

    void shade(mutator& m, std::uintptr_t word) {
        object_ref found;
        if (m.barrier && find_object(word, found) && !is_marked(found)) m.shaded.push_back(word);
    }

    void load(mutator& m) {
        const id_type holder = some(m);
        if (holder == nobody) return;
        const object& o = at(holder);
        if (o.field_count == 0) return;
        const std::size_t i = random_.below(static_cast<std::uint32_t>(o.field_count));
        if (o.fields[i] != nobody) push(m, o.fields[i]);
    }

    // From one object to another, and nowhere else: the marker may have been at the one it comes to, and not
    // yet at the one it comes from. A barrier is for this.
    void move(mutator& m) {
        const id_type from = some(m);
        const id_type to = some(m);
        if (from == nobody || at(from).field_count == 0 || at(to).field_count == 0) return;
        const std::size_t i = random_.below(static_cast<std::uint32_t>(at(from).field_count));
        const std::size_t k = random_.below(static_cast<std::uint32_t>(at(to).field_count));
        const id_type value = at(from).fields[i];
        if (value == nobody) return;
        at(from).fields[i] = nobody;
        *field(at(from), i) = 0;
        at(to).fields[k] = value;
        const std::uintptr_t word = pointer_to(value);
        *field(at(to), k) = word;
        shade(m, word);
    }

    void use_root(mutator& m) {
        id_type& root = roots_[random_.below(static_cast<std::uint32_t>(roots_.size()))];
        if (random_.below(2) == 0) {
            if (root != nobody) push(m, root);
            return;
        }
        root = random_.below(4) == 0 ? nobody : some(m);
        shade(m, pointer_to(root));
    }

    void check(mutator& m) {
        const id_type id = some(m);
        if (id == nobody) return;
        const object& o = at(id);
        ASSERT_EQ(*reinterpret_cast<const std::uint64_t*>(o.base), content_of(id))
            << "object " << id << " was freed or overwritten";
        for (std::size_t i = 0; i != o.field_count; ++i) {
            const std::uintptr_t word = *field(o, i);
            if (o.fields[i] == nobody) {
                ASSERT_EQ(word, 0u);
                continue;
            }
            const object& target = at(o.fields[i]);
            ASSERT_GE(word, word_of(target.base));
            ASSERT_LT(word, word_of(target.base) + target.bytes);
        }
    }

    // A thread ends and another begins.
    void replace_heap(mutator& m) {
        const bool black = m.heap->black;
        if (phase_ == phase::last && !m.answered) return;
        give_local_heap(*m.heap);
        m.heap = make_local_heap();
        ASSERT_FALSE(m.heap->black);
        if (black) begin_black(*m.heap);
    }

    // ---------------------------------------------------------------- the collector

    mutator* next_to_answer() {
        std::array<mutator*, mutator_count> left{};
        std::uint32_t count = 0;
        for (mutator& m : mutators_) {
            if (!m.answered) left[count++] = &m;
        }
        return count == 0 ? nullptr : left[random_.below(count)];
    }
    void ask_all(phase next) {
        phase_ = next;
        for (mutator& m : mutators_) m.answered = false;
    }
    void scan_stack(mutator& m) {
        for (const id_type id : m.stack) m.shaded.push_back(pointer_to(id));
        inbox_.insert(inbox_.end(), m.shaded.begin(), m.shaded.end());
        m.shaded.clear();
    }

    void step() {
        switch (phase_) {
        case phase::idle:
            if (random_.below(2) == 0) sweep_some(random_.below(6));
            if (random_.below(100) != 0) return;
            finish_sweep();
            mark_.begin();
            return ask_all(phase::barrier_on);
        case phase::barrier_on:
            if (mutator* const m = next_to_answer()) {
                m->barrier = m->answered = true;
                return;
            }
            return ask_all(phase::black_on);
        case phase::black_on:
            if (mutator* const m = next_to_answer()) {
                begin_black(*m->heap);
                scan_stack(*m);
                m->answered = true;
                return;
            }
            for (const id_type root : roots_) {
                if (root != nobody) mark_.grey(pointer_to(root));
            }
            found_ = true;
            phase_ = phase::tracing;
            return;
        case phase::tracing:
            found_ |= mark_.grey_range(inbox_.data(), inbox_.data() + inbox_.size()) != 0;
            inbox_.clear();
            if (mark_.drain(random_.below(2000))) return;
            if (!found_) return end_of_marking();
            found_ = false;
            return ask_all(phase::round);
        case phase::round:
            if (mutator* const m = next_to_answer()) {
                scan_stack(*m);
                m->answered = true;
                return;
            }
            phase_ = phase::tracing;
            return;
        case phase::last:
            if (mutator* const m = next_to_answer()) {
                m->barrier = false;
                m->shaded.clear();
                end_cycle(*m->heap);
                end_cycle(*m->heap);  // Again does nothing.
                m->answered = true;
                return;
            }
            start_sweep();
            ++cycles_;
            phase_ = phase::idle;
            return;
        }
    }

    std::vector<bool> reachable() {
        std::vector<bool> seen(objects_.size());
        std::vector<id_type> grey;
        const auto visit = [&](id_type id) {
            if (id == nobody || seen[id]) return;
            seen[id] = true;
            grey.push_back(id);
        };
        for (const mutator& m : mutators_) {
            for (const id_type id : m.stack) visit(id);
        }
        for (const id_type id : roots_) visit(id);
        while (!grey.empty()) {
            const object& o = at(grey.back());
            grey.pop_back();
            for (const id_type id : o.fields) visit(id);
        }
        return seen;
    }

    void end_of_marking() {
        const std::vector<bool> live = reachable();
        std::size_t due = 0;
        for (const auto& [base, id] : extents_) {
            object& o = at(id);
            object_ref found;
            const bool found_it = find_object(base, found);
            const bool marked = found_it && is_marked(found);
            if (live[id]) {
                ASSERT_TRUE(marked) << "object " << id << " is reachable, and not marked";
                continue;
            }
            o.condemned = true;
            if (o.kind != gc_kind::destructible || !found_it || marked || !is_in_use(found))
                continue;
            // It may be another object's slot only if it has been swept before, and then it isn't
            // in use.
            due += trailer_of(found).type != nullptr ? 1 : 0;
        }
        std::size_t dead = 0;
        std::vector<std::uintptr_t> revived;
        for_each_dead_destructible([&](const object_ref& found) {
            ++dead;
            const auto entry = extents_.find(word_of(found.base));
            ASSERT_NE(entry, extents_.end());
            ASSERT_FALSE(live[entry->second]);
            ASSERT_FALSE(at(entry->second).destroyed) << "once only";
            ASSERT_EQ(trailer_of(found).count, entry->second);
            at(entry->second).destroyed = true;
            trailer_of(found).type = nullptr;
            revived.push_back(word_of(found.base));
        });
        ASSERT_EQ(dead, due);
        mark_.grey_range(revived.data(), revived.data() + revived.size());
        while (mark_.drain(10'000)) {}
        advance_epoch();
        ask_all(phase::last);
    }

    // After two more cycles nothing is there that is not reachable, and what is free has been
    // found: no bit is left over.
    void count_what_is_left() {
        for (int i = 0; i != 3 && !failed(); ++i) {
            do step();
            while (phase_ == phase::idle);
            while (phase_ != phase::idle) step();
        }
        finish_sweep();
        for (mutator& m : mutators_) {
            give_local_heap(*m.heap);  // Their runs are in use, and no objects.
        }
        const std::vector<bool> live = reachable();
        std::size_t expected = 0;
        for (const bool one : live) expected += one ? 1 : 0;
        std::size_t there = 0;
        for (page_number page = 0; page < chunks_in_use() * chunk_pages;) {
            const page_entry entry = arena.entry_of(page);
            const layout_info& info = layouts[entry];
            if (entry < small_entry) {
                there += entry != free_entry && arena.record_of(page).first_page == page ? 1 : 0;
                ++page;
                continue;
            }
            for (unsigned w = 0; w != span_words; ++w) {
                const slot_words& words = arena.slots_of(page, info.size_index)[w];
                there += static_cast<std::size_t>(std::popcount(words.in_use.load()));
                ASSERT_EQ(words.fresh.load(), 0u);
                ASSERT_EQ(words.seen.load(), 0u);
                ASSERT_EQ(words.scanned.load(), 0u);
            }
            page += info.pages();
        }
        // A word of a pointer's noise cannot keep anything here: contents are no addresses.
        EXPECT_EQ(there, expected);
        for (mutator& m : mutators_) m.heap = make_local_heap();
    }

    random_source random_;
    std::array<mutator, mutator_count> mutators_;
    std::vector<object> objects_;
    std::map<std::uintptr_t, id_type> extents_;  // What may still lie where.
    std::array<id_type, 30> roots_ = [] {
        std::array<id_type, 30> none{};
        none.fill(nobody);
        return none;
    }();
    std::vector<std::uintptr_t> inbox_;
    marker mark_;
    phase phase_ = phase::idle;
    bool found_ = false;
    std::uint64_t cycles_ = 0;
};

TEST(HeapModel, RandomProgramsAgreeWithTheirShadow) {
    const test::watchdog dog(280);
    const std::uint64_t seed = test::stress_seed();
    const std::uint64_t programs = test::stress_rounds(12);
    std::uint64_t cycles = 0;
    for (std::uint64_t i = 0; i != programs && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        poison_free_slots = true;
        ASSERT_TRUE(open_heap());
        {
            model program(seed + i);
            program.run(i == 0 ? 400'000 : 60'000);
            cycles += program.cycles();
        }
        finish_sweep();
        close_heap();
    }
    poison_free_slots = false;
    EXPECT_GT(cycles, 20u);
}

// ---------------------------------------------------------------- the stress

// Nodes of all sizes; the count says which words they have.
struct node {
    std::atomic<std::uint64_t> check;  // content_of(its address and size).
    std::atomic<node*> next;
    std::atomic<node*> other;
    std::atomic<std::uint64_t> bytes;
};

struct shared_state {
    std::atomic<bool> marking{false};
    std::atomic<bool> stop{false};
    std::array<std::atomic<node*>, 1024> table{};
    std::mutex inbox_mutex;
    std::vector<std::uintptr_t> inbox;
};

enum class request : std::uint32_t { nothing, barrier, black, scan, last };

class thread_mutator {
public:
    thread_mutator(shared_state& shared, std::uint64_t seed) : shared_(shared), random_(seed) {}

    void run() {
        heap_ = make_local_heap();
        while (!shared_.stop.load(std::memory_order_relaxed)) {
            operate();
            poll();
            // With fewer CPUs than threads a request would wait for a time slice otherwise.
            if (operations.load(std::memory_order_relaxed) % 512 == 0) std::this_thread::yield();
        }
        // Who ends goes on answering.
        stack_.fill(nullptr);
        while (!done.load(std::memory_order_acquire)) {
            poll();
            std::this_thread::yield();
        }
        give_local_heap(*heap_);
    }

    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> operations{0};

private:
    void poll() {
        // acquire: what the collector stored before it asked, `marking` and the epoch. release:
        // what was stored and shaded.
        const std::uint64_t word = asked.load(std::memory_order_acquire);
        if (word == answered.load(std::memory_order_relaxed)) return;
        switch (static_cast<request>(word & 7)) {
        case request::nothing:
        case request::barrier:
            break;
        case request::black:
            begin_black(*heap_);
            scan();
            break;
        case request::scan:
            scan();
            break;
        case request::last:
            shaded_.clear();
            end_cycle(*heap_);
            break;
        }
        answered.store(word, std::memory_order_release);
    }

    void scan() {
        for (node* const n : stack_) shaded_.push_back(word_of(n));
        const std::lock_guard hold(shared_.inbox_mutex);
        shared_.inbox.insert(shared_.inbox.end(), shaded_.begin(), shaded_.end());
        shaded_.clear();
    }

    void store(std::atomic<node*>& place, node* value) {
        // release: who loads the pointer sees the node's content.
        place.store(value, std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (!shared_.marking.load(std::memory_order_relaxed) || value == nullptr) return;
        object_ref found;
        if (find_object(word_of(value), found) && !is_marked(found)) {
            shaded_.push_back(word_of(value));
        }
    }

    node*& any() { return stack_[random_.below(static_cast<std::uint32_t>(stack_.size()))]; }

    static void check(const node& n) {
        const std::uint64_t bytes = n.bytes.load(std::memory_order_relaxed);
        const std::uint64_t expected = content_of((word_of(&n) ^ bytes) & 0xffff'ffff'ffff);
        if (n.check.load(std::memory_order_relaxed) != expected) [[unlikely]] {
            std::fprintf(stderr, "an object was freed under its owner\n");
            std::abort();
        }
    }

    node* make() {
        std::size_t bytes = std::max(sizeof(node), random_size(random_));
        if (bytes > 2048 && random_.below(16) != 0)
            bytes = 48;  // Many that live, in little memory.
        auto* const n = static_cast<node*>(allocate(*heap_, bytes, gc_kind::scanned));
        if (n == nullptr) std::abort();
        if (n->check.load(std::memory_order_relaxed) != 0 ||
            n->next.load(std::memory_order_relaxed) != nullptr ||
            n->other.load(std::memory_order_relaxed) != nullptr) {
            std::fprintf(stderr, "an object is not zeroed\n");
            std::abort();
        }
        n->bytes.store(bytes, std::memory_order_relaxed);
        n->check.store(content_of((word_of(n) ^ bytes) & 0xffff'ffff'ffff),
                       std::memory_order_relaxed);
        return n;
    }

    void operate() {
        operations.store(operations.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        node*& place = any();
        std::atomic<node*>& slot =
            shared_.table[random_.below(static_cast<std::uint32_t>(shared_.table.size()))];
        switch (random_.below(8)) {
        case 0:
        case 1: {
            node* const n = make();
            if (node* const old = any(); old != nullptr && random_.below(3) != 0) {
                store(n->next, old);
            }
            place = n;
            return;
        }
        case 2:
            if (place != nullptr) {
                check(*place);
                store(random_.below(2) == 0 ? place->next : place->other, any());
            }
            return;
        case 3:
            if (place != nullptr) {
                node* const next = place->next.load(std::memory_order_acquire);
                if (next != nullptr) check(*next);
                place = next;
            }
            return;
        case 4:
            store(slot, place);
            return;
        case 5:
            place = slot.load(std::memory_order_acquire);
            if (place != nullptr) check(*place);
            return;
        case 6:
            // A chain is cut off and put elsewhere, on no stack in between: a barrier is for this.
            if (node* const to = any(); place != nullptr && to != nullptr) {
                node* const rest = place->next.load(std::memory_order_acquire);
                store(place->next, nullptr);
                store(to->other, rest);
            }
            return;
        default:
            place = random_.below(3) == 0 ? nullptr : any();
            return;
        }
    }

    shared_state& shared_;
    random_source random_;
    local_heap* heap_ = nullptr;
    std::array<node*, 24> stack_{};
    std::vector<std::uintptr_t> shaded_;
};

class thread_collector {
public:
    thread_collector(shared_state& shared, std::vector<std::unique_ptr<thread_mutator>>& mutators)
        : shared_(shared), mutators_(mutators) {}

    void cycle() {
        finish_sweep();
        mark_.begin();
        shared_.marking.store(true, std::memory_order_seq_cst);
        handshake(request::barrier);
        handshake(request::black);
        for (const auto& slot : shared_.table) {
            mark_.grey(word_of(slot.load(std::memory_order_relaxed)));
        }
        trace();
        do handshake(request::scan);
        while (trace());
        // As with a runtime: barriers may go off early, what they would shade is marked.
        advance_epoch();
        shared_.marking.store(false, std::memory_order_seq_cst);
        handshake(request::last);
        start_sweep();
        while (sweep_some(64)) {}
        while (scavenge(std::size_t{1} << 20, std::size_t{2} << 20) != 0) {}
        objects += mark_.objects();
    }

    std::uint64_t objects = 0;

private:
    void handshake(request what) {
        const std::uint64_t word = ++number_ << 3 | static_cast<std::uint64_t>(what);
        for (auto& m : mutators_) m->asked.store(word, std::memory_order_release);
        for (auto& m : mutators_) {
            while (m->answered.load(std::memory_order_acquire) != word) std::this_thread::yield();
        }
    }

    bool trace() {
        bool found = false;
        for (;;) {
            std::vector<std::uintptr_t> words;
            {
                const std::lock_guard hold(shared_.inbox_mutex);
                words.swap(shared_.inbox);
            }
            found |= mark_.grey_range(words.data(), words.data() + words.size()) != 0;
            while (mark_.drain(std::size_t{64} << 10)) {}
            if (words.empty()) return found;
        }
    }

    shared_state& shared_;
    std::vector<std::unique_ptr<thread_mutator>>& mutators_;
    marker mark_;
    std::uint64_t number_ = 0;
};

std::uint64_t done_by(const std::vector<std::unique_ptr<thread_mutator>>& mutators) {
    std::uint64_t sum = 0;
    for (const auto& m : mutators) sum += m->operations.load(std::memory_order_relaxed);
    return sum;
}

TEST(HeapStress, MutatorsAndACollectorShareTheHeap) {
    const test::watchdog dog(280);
    const std::uint64_t seed = test::stress_seed();
    const std::uint64_t cycles = test::stress_rounds(60);
    poison_free_slots = true;
    ASSERT_TRUE(open_heap());
    {
        shared_state shared;
        std::vector<std::unique_ptr<thread_mutator>> mutators;
        for (std::uint64_t i = 0; i != 3; ++i) {
            mutators.push_back(std::make_unique<thread_mutator>(shared, seed + i));
        }
        std::vector<std::thread> threads;
        for (auto& m : mutators) threads.emplace_back([&m] { m->run(); });
        thread_collector collector(shared, mutators);
        for (std::uint64_t i = 0; i != cycles; ++i) {
            const std::uint64_t enough = done_by(mutators) + 20'000;
            while (done_by(mutators) < enough) std::this_thread::yield();
            collector.cycle();
        }
        shared.stop = true;
        for (auto& slot : shared.table) slot = nullptr;
        for (int i = 0; i != 3; ++i) collector.cycle();
        finish_sweep();
        // Stores after `stop` was seen may have come after the table was cleared: not counted. All
        // else is gone.
        for (auto& m : mutators) m->done.store(true, std::memory_order_release);
        for (auto& thread : threads) thread.join();
        EXPECT_GT(collector.objects, 0u);
        EXPECT_LE(heap_bytes(), std::size_t{3} * gc_layouts * 32 * 1024 + (std::size_t{4} << 20));
    }
    close_heap();
    poison_free_slots = false;
}

}  // namespace
}  // namespace weft::detail
