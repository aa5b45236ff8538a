// Objects are held, passed on and dropped in every way there is, while collections follow each other without a pause and what
// is swept is filled with rubbish. Each object carries a number and what follows from it, so whoever meets one that was freed
// under it sees that.
//
// What is new is black while the collector marks, so what matters is old: a mutator takes a chain out of a table, which
// leaves it the only pointer, holds it or passes it on in one of the ways, and puts it back somewhere else.
//
// The ways: a frame that is parked, one that computes, one below on_big_stack() and one in blocking(); a channel's cell, its box, and a
// sender that waits; a closure before it has run; a result that nobody has joined; objects that others rewrite meanwhile.
#include "gc/heap/sweep.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <weft/gc.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {
namespace {

constexpr std::uint64_t mixed(std::uint64_t key) noexcept {
    key ^= key >> 31;
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 29;
}

struct node {
    explicit node(std::uint64_t k) : key(k), check(mixed(k)) {}
    gc::ptr<node> next;
    gc::ptr<node> other;
    std::uint64_t key;
    std::uint64_t check;
    std::array<std::uint64_t, 3> filler{};
};

std::atomic<std::uint64_t> made{0};
std::atomic<std::uint64_t> spoiled{0};

gc::ptr<node> make_node() {
    return gc::make<node>(made.fetch_add(1, std::memory_order_relaxed) + 1);
}

void check(const node* n) {
    if (n != nullptr && (n->check != mixed(n->key) || n->key == 0)) {
        if (spoiled.fetch_add(1) == 0)
            std::fprintf(stderr, "spoiled: %p\n", static_cast<const void*>(n));
    }
}

void check_chain(const node* n, unsigned most = 64) {
    for (unsigned i = 0; n != nullptr && i != most; ++i, n = n->next.get()) check(n);
}

gc::ptr<node> make_chain(unsigned length) {
    gc::ptr<node> first;
    for (unsigned i = 0; i != length; ++i) {
        auto n = make_node();
        n->next = first;
        first = n;
    }
    return first;
}

// Too large for a cell.
struct parcel {
    gc::ptr<node> first;
    std::array<std::uint64_t, 12> filler{};
    std::string text;
};

struct table {
    std::array<gc::atomic_ptr<node>, 2048> slots;
};

struct world {
    gc::ptr<table> shared;
    chan<node*> plain{8};
    chan<node*> unbuffered;
    chan<gc::ptr<node>> pointers{4};
    chan<parcel> boxes{3};
    std::atomic<bool> stop{false};
};

[[gnu::noinline]] std::uint64_t dig(unsigned depth, const node* n) {
    std::array<volatile char, 300> room;
    room[0] = static_cast<char>(depth);
    if (depth == 0) {
        weft::yield();
        check_chain(n);
        return n == nullptr ? 0 : n->key;
    }
    const std::uint64_t below = dig(depth - 1, n);
    return below + static_cast<unsigned char>(room[0]) - depth;
}

class mutator {
public:
    mutator(world& w, std::uint64_t seed) : world_(w), random_(static_cast<std::uint32_t>(seed)) {}

    void step() {
        switch (random_() % 16) {
        case 0:
            hold_in_a_frame();
            break;
        case 1: {
            node* const chain = take();
            static_cast<void>(dig(static_cast<unsigned>(random_() % 40), chain));
            put(chain);
            break;
        }
        case 2:
        case 3:
            send_away();
            break;
        case 4:
        case 5:
            take_in();
            break;
        case 6:
            pass_to_child();
            break;
        case 7:
            through_blocking();
            break;
        case 8:
            on_a_big_stack();
            break;
        case 9:
        case 10:
            move_behind();
            break;
        case 11:
            select_one();
            break;
        case 12:
            send_a_parcel();
            break;
        case 13:
            compute();
            break;
        case 14:
            large_object();
            break;
        default:
            result_not_joined_yet();
            break;
        }
    }

private:
    gc::atomic_ptr<node>& slot() { return world_.shared->slots[random_() % 2048]; }

    // The only pointer to an old chain.
    node* take() {
        node* const chain = slot().exchange(nullptr).get();
        if (chain == nullptr) return make_chain(1 + static_cast<unsigned>(random_() % 10)).get();
        check_chain(chain);
        return chain;
    }
    void put(node* chain) {
        check_chain(chain);
        // Now and then a chain goes for good.
        if (random_() % 32 != 0) slot().store(gc::ptr<node>(chain));
    }

    void hold_in_a_frame() {
        node* const chain = take();
        for (unsigned i = 0; i != 3; ++i) {
            weft::yield();
            check_chain(chain);
        }
        put(chain);
    }

    void send_away() {
        node* n = take();
        if (random_() % 2 == 0 && world_.plain.try_send(n)) return;
        if (random_() % 2 == 0 && world_.unbuffered.send_for(n, std::chrono::microseconds(50)))
            return;
        gc::ptr<node> p(n);
        n = nullptr;
        if (!world_.pointers.try_send(p)) put(p.get());
    }

    void take_in() {
        if (auto n = world_.plain.try_recv()) put(*n);
        if (auto n = world_.unbuffered.recv_for(std::chrono::microseconds(30))) put(*n);
        if (auto n = world_.pointers.try_recv()) put(n->get());
        if (auto p = world_.boxes.try_recv()) put(p->first.get());
    }

    void send_a_parcel() {
        parcel p{
            gc::ptr<node>(take()), {}, "text in memory of malloc, too long for a small string"};
        if (!world_.boxes.send_for(std::move(p), std::chrono::microseconds(50))) put(p.first.get());
    }

    void pass_to_child() {
        node* chain = take();
        std::array<std::uint64_t, 20> large{};
        if (random_() % 2 == 0) {
            auto child = weft::spawn([chain] {
                check_chain(chain);
                return chain;
            });
            chain = nullptr;
            weft::yield();
            chain = child.join();
        } else {
            auto child = weft::spawn([chain, large] { return large[3] == 0 ? chain : nullptr; });
            chain = nullptr;
            weft::yield();
            chain = child.join();
        }
        put(chain);
    }

    void result_not_joined_yet() {
        node* chain = take();
        auto child = weft::spawn([chain] { return gc::ptr<node>(chain); });
        chain = nullptr;
        for (unsigned i = 0; i != 4; ++i) weft::yield();
        put(child.join().get());
    }

    void through_blocking() {
        node* const chain = take();
        weft::blocking([] {
            static std::atomic<int> any{0};
            any.fetch_add(1);
        });
        put(chain);
    }

    void on_a_big_stack() {
        node* const chain = take();
        weft::on_big_stack([this] {
            node* const inner = take();
            weft::yield();
            if (random_() % 4 == 0) weft::on_big_stack([] { weft::yield(); });
            put(inner);
        });
        put(chain);
    }

    // The classic: the only pointer moves from before to behind where the marker stands.
    void move_behind() {
        for (unsigned i = 0; i != 20; ++i) {
            gc::atomic_ptr<node>& from = slot();
            gc::atomic_ptr<node>& to = slot();
            check_chain(from.load().get());
            if (&from == &to || to.load() != nullptr) continue;
            to.store(from.load());
            from.store(nullptr);
        }
    }

    void select_one() {
        gc::ptr<node> out(take());
        bool sent = false;
        static_cast<void>(weft::select(weft::on_recv(world_.plain,
                                                     [this](std::optional<node*> n) {
                                                         if (n) put(*n);
                                                     }),
                                       weft::on_send(world_.pointers, out, [&] { sent = true; }),
                                       weft::on_timeout(std::chrono::microseconds(20), [] {})));
        if (!sent) put(out.get());
    }

    // No safepoint: whoever is asked something meanwhile answers in a signal handler, and the chain is in a register.
    void compute() {
        node* chain = take();
        std::uint64_t sum = random_();
        for (unsigned i = 0; i != 100'000; ++i) {
            sum = mixed(sum + i);
            asm volatile("" : "+r"(sum), "+r"(chain));
        }
        put(chain);
    }

    void large_object() {
        auto big = gc::make_array<gc::ptr<node>>(2000 + random_() % 3000);
        const std::size_t last = big.size() - 1;
        big[last] = gc::ptr<node>(take());
        big[7] = gc::ptr<node>(take());
        gc::ptr<node>* const inside = &big[last];
        big = nullptr;
        weft::yield();
        put(inside->get());
        put((inside - (last - 7))->get());
    }

    world& world_;
    std::mt19937 random_;
};

class GcTorture : public with_runtime {
protected:
    void SetUp() override {
        with_runtime::SetUp();
        detail::poison_free_slots.store(true);
        spoiled = 0;
    }
    void TearDown() override {
        EXPECT_EQ(spoiled.load(), 0u);
        detail::poison_free_slots.store(false);
        with_runtime::TearDown();
    }
};

TEST_P(GcTorture, NothingThatIsInUseIsFreed) {
    const std::uint64_t seed = stress_seed();
    const std::uint64_t steps = stress_rounds(4000);
    run([&] {
        world w;
        w.shared = gc::make<table>();
        for (auto& slot : w.shared->slots) slot.store(make_chain(8));
        std::atomic<unsigned> left{0};
        auto collector = weft::spawn([&w] {
            while (!w.stop.load()) {
                gc::collect();
                weft::yield();
            }
        });
        {
            weft::scope all;
            constexpr unsigned mutators = 24;
            left = mutators;
            for (unsigned i = 0; i != mutators; ++i) {
                all.go([&, i] {
                    mutator m(w, seed + i);
                    for (std::uint64_t s = 0; s != steps; ++s) m.step();
                    left.fetch_sub(1);
                });
            }
            all.join();
        }
        w.stop = true;
        collector.join();
        EXPECT_GT(gc::stats().cycles, 1u);
        std::printf("%llu cycles, %llu rounds, %llu objects made\n",
                    static_cast<unsigned long long>(gc::stats().cycles),
                    static_cast<unsigned long long>(gc::stats().rounds),
                    static_cast<unsigned long long>(made.load()));
    });
}

WEFT_TEST_PROCESSORS(GcTorture);

}  // namespace
}  // namespace weft::test
