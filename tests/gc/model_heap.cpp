#include "gc/model_heap.hpp"

#include <weft/detail/gc_heap.hpp>
#include <weft/detail/gc_type.hpp>
#include <weft/detail/thread_block.hpp>
#include <weft/version.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <vector>

// The library's part, as far as the headers ask for it. The test does not link the library.
#define WEFT_TEST_NAME(a, b) weft_abi_##a##_##b
#define WEFT_TEST_ABI(a, b) WEFT_TEST_NAME(a, b)
extern "C" void WEFT_TEST_ABI(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR)() {}

thread_local constinit weft::detail::thread_block weft_thread_block;

namespace weft::detail {
attention_word no_attention{0};
gc_local_head gc_no_heap;  // Each allocation takes the slow path.
std::atomic<std::uint32_t> gc_marking{0};
}  // namespace weft::detail

namespace weft::test::model_heap {
namespace {

struct object {
    std::size_t bytes = 0;
    detail::gc_kind kind = detail::gc_kind::scanned;
    bool marked = false;
    bool scanned = false;
};

using objects_by_address = std::map<std::uintptr_t, object>;

struct {
    objects_by_address objects;
    std::vector<std::uintptr_t> grey;
    std::vector<std::uintptr_t> roots;
    std::mt19937_64 random{1};
    bool ignores = false;
    std::size_t failing = SIZE_MAX;
} self;

objects_by_address::iterator find(std::uintptr_t word) {
    auto at = self.objects.upper_bound(word);
    if (at == self.objects.begin()) return self.objects.end();
    --at;
    return word - at->first < at->second.bytes ? at : self.objects.end();
}

template <class F>
void for_each_word(std::uintptr_t address, const object& o, F&& f) {
    if (o.kind == detail::gc_kind::pointer_free) return;
    for (std::size_t i = 0; i + sizeof(std::uintptr_t) <= o.bytes; i += sizeof(std::uintptr_t)) {
        std::uintptr_t word = 0;
        std::memcpy(&word, reinterpret_cast<const void*>(address + i), sizeof word);
        f(word);
    }
}

void mark(std::uintptr_t word) {
    const auto at = find(word);
    if (at == self.objects.end() || at->second.marked) return;
    at->second.marked = true;
    self.grey.push_back(at->first);
}

void* allocate(std::size_t bytes, detail::gc_kind kind) {
    if (self.failing != SIZE_MAX && self.failing-- == 0) {
        self.failing = SIZE_MAX;
        throw std::bad_alloc();
    }
    // The alignment of a slot; the sanitizer watches what lies behind it.
    void* const memory = std::aligned_alloc(std::size_t{1} << __builtin_ctzll(bytes), bytes);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    object o;
    o.bytes = bytes;
    o.kind = kind;
    o.marked = marking();  // Black: marked, and nobody will scan it.
    self.objects.emplace(reinterpret_cast<std::uintptr_t>(memory), o);
    return memory;
}

template <class F>
std::size_t trace(const std::vector<std::uintptr_t>& from, F&& f) {
    std::map<std::uintptr_t, bool> seen;
    std::vector<std::uintptr_t> todo(from);
    std::size_t n = 0;
    while (!todo.empty()) {
        const auto at = find(todo.back());
        todo.pop_back();
        if (at == self.objects.end() || seen[at->first]) continue;
        seen[at->first] = true;
        ++n;
        f(at->second);
        for_each_word(at->first, at->second, [&](std::uintptr_t word) { todo.push_back(word); });
    }
    return n;
}

std::vector<std::uintptr_t> addresses(std::initializer_list<const void*> roots) {
    std::vector<std::uintptr_t> words;
    for (const void* const root : roots) words.push_back(reinterpret_cast<std::uintptr_t>(root));
    return words;
}

}  // namespace

void reset(std::uint64_t seed) {
    for (const auto& [address, o] : self.objects) std::free(reinterpret_cast<void*>(address));
    self.objects.clear();
    self.grey.clear();
    self.roots.clear();
    self.random.seed(seed);
    self.ignores = false;
    self.failing = SIZE_MAX;
    detail::gc_marking = 0;
}

std::size_t random(std::size_t n) noexcept { return self.random() % n; }

bool marking() noexcept { return detail::gc_marking != 0; }

void begin_marking(std::initializer_list<const void*> roots) {
    for (auto& [address, o] : self.objects) o.marked = o.scanned = false;
    self.grey.clear();
    self.roots = addresses(roots);
    detail::gc_marking = 1;
    for (const std::uintptr_t root : self.roots) mark(root);
}

bool step(std::size_t most) noexcept {
    for (std::size_t n = 0; n != most; ++n) {
        if (self.grey.empty()) return n != 0;
        std::swap(self.grey[random(self.grey.size())], self.grey.back());
        const std::uintptr_t address = self.grey.back();
        self.grey.pop_back();
        object& o = self.objects.at(address);
        o.scanned = true;
        for_each_word(address, o, mark);
    }
    return true;
}

std::size_t end_marking() {
    while (step(100)) {}
    detail::gc_marking = 0;
    std::size_t lost = 0;
    trace(self.roots, [&](object& o) {
        lost += o.marked ? 0 : 1;
        o.marked = true;
    });
    for (auto at = self.objects.begin(); at != self.objects.end();) {
        if (at->second.marked) {
            ++at;
        } else {
            std::memset(reinterpret_cast<void*>(at->first), 0xdd, at->second.bytes);
            std::free(reinterpret_cast<void*>(at->first));
            at = self.objects.erase(at);
        }
    }
    return lost;
}

void ignore_stores(bool yes) noexcept { self.ignores = yes; }

std::size_t objects() noexcept { return self.objects.size(); }

std::size_t reachable(std::initializer_list<const void*> roots) {
    return trace(addresses(roots), [](const object&) {});
}

bool destroy(const void* of) {
    const auto at = find(reinterpret_cast<std::uintptr_t>(of));
    if (at == self.objects.end() || at->second.kind != detail::gc_kind::destructible) return false;
    auto* const trailer = reinterpret_cast<detail::gc_trailer*>(at->first + at->second.bytes -
                                                                sizeof(detail::gc_trailer));
    if (trailer->type == nullptr) return false;
    const detail::gc_type* const type = trailer->type;
    trailer->type = nullptr;
    type->destroy(reinterpret_cast<void*>(at->first), trailer->count);
    return true;
}

void fail_after(std::size_t allocations) noexcept { self.failing = allocations; }

}  // namespace weft::test::model_heap

namespace weft::detail {

void* gc_allocate_slow(unsigned layout) {
    return test::model_heap::allocate(gc_slot_size(layout),
                                      static_cast<gc_kind>(layout % gc_kinds));
}

#if defined(WEFT_GC_TELLS_TSAN)
void gc_tell_tsan(void*, std::size_t) noexcept {}  // One thread, and no slot is used twice.
#endif

void* gc_allocate_large(std::size_t bytes, gc_kind kind) {
    return test::model_heap::allocate(gc_round_up(bytes, std::size_t{16}), kind);
}

void gc_shade(const void* pointer) noexcept {
    using namespace test::model_heap;
    if (!self.ignores) mark(reinterpret_cast<std::uintptr_t>(pointer));
    // The marker comes by.
    if (random(2) == 0) step(random(4));
}

}  // namespace weft::detail

// What objects of a collected heap own outside of it is not given back when the program ends, which LeakSanitizer would
// call a leak.
extern "C" int __lsan_is_turned_off();  // NOLINT: the name is LeakSanitizer's.
extern "C" int __lsan_is_turned_off() { return 1; }
