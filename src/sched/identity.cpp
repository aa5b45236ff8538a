#include "sched/identity.hpp"

#include "sched/extras.hpp"

#include <array>
#include <cstring>
#include <string_view>

namespace weft::detail {
namespace {

constexpr int tries_at_once = 1000;

void print(printer& out, const coroutine& c, std::string_view name) noexcept {
    out << "coroutine " << c.id.get();
    if (!name.empty()) out << " '" << name << "'";
}

}  // namespace

void print_coroutine(printer& out, const coroutine& c) noexcept {
    std::array<char, 64> name;
    const std::size_t size = copy_name(c, name);
    print(out, c, {name.data(), size});
}

void print_coroutine_at_once(printer& out, const coroutine& c) noexcept {
    std::array<char, 64> name{};
    if (coroutine_extras* const extras = peek_extras(c)) {
        bool locked = false;
        for (int i = 0; i != tries_at_once && !locked; ++i) locked = extras->lock.try_lock();
        if (extras->owner == &c) name = extras->name;
        if (locked) extras->lock.unlock();
        name.back() = '\0';
    }
    print(out, c, name.data());
}

void print_origin(printer& out, const call_site& where) noexcept {
    out << "created at " << std::string_view(where.file == nullptr ? "?" : where.file) << ":"
        << where.line;
}

}  // namespace weft::detail
