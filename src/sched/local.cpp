// The values behind weft::local.
#include <weft/detail/local.hpp>

#include "arch/calls.hpp"
#include "base/assert.hpp"
#include "sched/extras.hpp"
#include "sched/local.hpp"
#include "sched/machine.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace weft::detail {
namespace {

// One entry a key, never removed: a local<T> is a static object, or close to it.
struct key_table {
    std::shared_mutex lock;
    std::vector<local_type> types;
};

key_table& keys() {
    static key_table table;
    return table;
}

local_type type_of(std::uint32_t key) {
    const std::shared_lock hold(keys().lock);
    return keys().types[key];
}

[[gnu::noinline]] local_table& thread_locals() noexcept {
    thread_local local_table table;
    return table;
}

// Null: the coroutine has no table yet.
local_table* find_table() noexcept {
    coroutine* const self = this_coroutine();
    if (self == nullptr) return &thread_locals();
    coroutine_extras* const extras = peek_extras(*self);
    return extras == nullptr ? nullptr : &extras->locals;
}

void put(local_table& table, std::uint32_t key, void* value) {
    if (table.values.size() <= key) table.values.resize(key + 1);
    void* const old = table.values[key];
    table.values[key] = value;
    if (old != nullptr) call_user(type_of(key).destroy, old);
}

}  // namespace

void local_table::clear() noexcept {
    // A destructor may set values again: until nothing is left.
    while (!values.empty()) {
        std::vector<void*> dying;
        dying.swap(values);
        for (std::uint32_t key = 0; key != dying.size(); ++key) {
            if (dying[key] != nullptr) call_user(type_of(key).destroy, dying[key]);
        }
    }
}

std::uint32_t new_local_key(const local_type& type) {
    const std::lock_guard hold(keys().lock);
    keys().types.push_back(type);
    return static_cast<std::uint32_t>(keys().types.size() - 1);
}

void* find_local(std::uint32_t key) noexcept {
    const local_table* const table = find_table();
    return table == nullptr || table->values.size() <= key ? nullptr : table->values[key];
}

void store_local(std::uint32_t key, void* value) {
    coroutine* const self = this_coroutine();
    put(self == nullptr ? thread_locals() : extras_of(*self).locals, key, value);
}

void inherit_locals(coroutine& child) {
    const local_table* const table = find_table();
    if (table == nullptr) return;
    for (std::uint32_t key = 0; key != table->values.size(); ++key) {
        const void* const value = table->values[key];
        if (value == nullptr) continue;
        const local_type type = type_of(key);
        if (type.copy == nullptr) continue;
        local_table& inherited = extras_of(child).locals;
        if (inherited.values.size() <= key)
            inherited.values.resize(key + 1);  // So that put() can't throw.
        put(inherited, key, call_user(type.copy, value));
    }
}

}  // namespace weft::detail
