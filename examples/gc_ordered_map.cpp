// gc_ordered_map [ACCOUNTS] [TRANSFERS]: an ordered map that never changes, shared by coroutines that change it all
// the time.
//
//     version 1   root --> [50] --> ...            Inserting copies the nodes on the way to the key, and shares all others.
//                            \                     So each version stays as it is for whoever looks at it, without a lock,
//     version 2   root --> [50]' --> [75]'         and is gone when nobody does any more.
//
// The map has the balances of a bank. Clerks move money from one account to another: they make a new version, and
// publish it by one compare-and-swap, or begin again if another clerk was faster. Auditors take the version of the
// moment and add it up; whatever they see, the sum is right. Memory is the collector's affair: no reference counts,
// no hazard pointers, no epochs.
#include <weft/gc.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace {

namespace gc = weft::gc;

// A treap: ordered by key, and a heap by priority. The priority is a hash of the key, so the same keys make the same
// tree.
struct node {
    gc::ptr<const node> left;
    gc::ptr<const node> right;
    int key;
    long balance;
};
using map = gc::ptr<const node>;

std::uint64_t priority(int key) {
    std::uint64_t h = static_cast<std::uint64_t>(key) + 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

map make_node(const map& left, const map& right, int key, long balance) {
    return gc::make<const node>(left, right, key, balance);
}

const node* find(const node* n, int key) {
    while (n != nullptr && n->key != key) n = key < n->key ? n->left.get() : n->right.get();
    return n;
}

// Makes a map of the keys less than `key`, and one of the greater ones.
void split(const node* n, int key, map& less, map& greater) {
    if (n == nullptr) {
        less = greater = nullptr;
    } else if (n->key < key) {
        map rest;
        split(n->right.get(), key, rest, greater);
        less = make_node(n->left, rest, n->key, n->balance);
    } else {
        map rest;
        split(n->left.get(), key, less, rest);
        greater = make_node(rest, n->right, n->key, n->balance);
    }
}

// A map with this balance in place of the old one, if there was one.
map with(const node* n, int key, long balance) {
    if (n == nullptr) return make_node(nullptr, nullptr, key, balance);
    if (n->key == key) return make_node(n->left, n->right, key, balance);
    if (priority(key) > priority(n->key)) {
        map less;
        map greater;
        split(n, key, less, greater);
        return make_node(less, greater, key, balance);
    }
    if (key < n->key)
        return make_node(with(n->left.get(), key, balance), n->right, n->key, n->balance);
    return make_node(n->left, with(n->right.get(), key, balance), n->key, n->balance);
}

struct totals {
    long accounts = 0;
    long money = 0;
    bool ordered = true;
    int last_key = -1;
};

void add_up(const node* n, totals& t) {
    if (n == nullptr) return;
    add_up(n->left.get(), t);
    t.ordered = t.ordered && t.last_key < n->key;
    t.last_key = n->key;
    ++t.accounts;
    t.money += n->balance;
    add_up(n->right.get(), t);
}

struct bank {
    gc::atomic_ptr<const node> accounts;
};

void transfer(bank& b, int from, int to, long amount) {
    map now = b.accounts.load(std::memory_order_acquire);
    map next;
    do {
        next = with(now.get(), from, find(now.get(), from)->balance - amount);
        next = with(next.get(), to, find(next.get(), to)->balance + amount);
    } while (!b.accounts.compare_exchange_weak(now, next, std::memory_order_acq_rel,
                                               std::memory_order_acquire));
}

constexpr int clerks = 4;
constexpr int auditors = 2;
constexpr long start_balance = 100;

void run_bank(int accounts, int transfers) {
    const auto b = gc::make<bank>();
    map start;
    for (int key = 0; key != accounts; ++key) start = with(start.get(), key, start_balance);
    b->accounts = start;

    std::atomic<int> working{clerks};
    std::atomic<long> wrong{0};
    weft::scope scope;
    for (int c = 0; c != clerks; ++c) {
        scope.go([=, &working] {
            std::uint64_t random = static_cast<std::uint64_t>(c) + 1;
            const auto draw = [&random](int n) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                return static_cast<int>((random >> 33) % static_cast<std::uint64_t>(n));
            };
            for (int i = 0; i != transfers; ++i) {
                const int from = draw(accounts);
                transfer(*b, from, (from + 1 + draw(accounts - 1)) % accounts, draw(50));
                weft::checkpoint();
            }
            --working;
        });
    }
    for (int a = 0; a != auditors; ++a) {
        scope.go([=, &working, &wrong] {
            do {
                const map snapshot = b->accounts.load(std::memory_order_acquire);
                totals t;
                add_up(snapshot.get(), t);
                if (t.accounts != accounts || t.money != accounts * start_balance || !t.ordered)
                    ++wrong;
                weft::yield();
            } while (working != 0);
        });
    }
    scope.join();

    totals first;
    totals last;
    add_up(start.get(), first);
    add_up(b->accounts.load().get(), last);
    std::printf("%d clerks made %d transfers each\n", clerks, transfers);
    std::printf("auditors found %ld versions that were wrong\n", wrong.load());
    std::printf("first version: %ld accounts, %ld, %s\n", first.accounts, first.money,
                find(start.get(), 0)->balance == start_balance ? "as it was" : "changed");
    std::printf("last version: %ld accounts, %ld, %s\n", last.accounts, last.money,
                last.ordered ? "in order" : "out of order");
}

bool parse(std::string_view text, int least, int most, int& number) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end && number >= least && number <= most;
}

}  // namespace

int main(int argc, char** argv) {
    int accounts = 1000;
    int transfers = 5000;
    if (argc > 3 || (argc >= 2 && !parse(argv[1], 2, 1'000'000, accounts)) ||
        (argc == 3 && !parse(argv[2], 0, 10'000'000, transfers))) {
        std::fputs(
            "usage: gc_ordered_map [ACCOUNTS] [TRANSFERS]\n"
            "Moves money between ACCOUNTS accounts (1000), in TRANSFERS steps a clerk (5000).\n",
            stderr);
        return 2;
    }
    return weft::run([=] { run_bank(accounts, transfers); });
}
