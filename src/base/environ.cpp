#include "base/environ.hpp"

#include "base/print.hpp"

#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include <unistd.h>

namespace weft::detail {
namespace {

constexpr std::uint64_t hour_ms = 3'600'000;
constexpr std::int64_t second_ns = 1'000'000'000;

void complain(std::string_view key, std::string_view value, std::string_view expected) noexcept {
    printer out;
    out << "weft: " << key << "=" << value << " ignored: expected " << expected << "\n";
    out.flush();
}

void complain_unknown(std::string_view kind, std::string_view key) noexcept {
    printer out;
    out << "weft: unknown " << kind << " " << key << " ignored\n";
    out.flush();
}

template <class Number>
std::optional<Number> number(std::string_view text, Number least, Number most) noexcept {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (value < least || value > most) return std::nullopt;
    return value;
}

/// Bytes, with K, M or G (binary) behind them if one likes.
std::optional<std::uint64_t> size(std::string_view text) noexcept {
    unsigned shift = 0;
    if (!text.empty()) {
        switch (text.back()) {
        case 'K':
            shift = 10;
            break;
        case 'M':
            shift = 20;
            break;
        case 'G':
            shift = 30;
            break;
        default:
            break;
        }
        if (shift != 0) text.remove_suffix(1);
    }
    const auto value =
        number<std::uint64_t>(text, 0, std::numeric_limits<std::uint64_t>::max() >> shift);
    if (!value) return std::nullopt;
    return *value << shift;
}

/// Milliseconds; the unit may be written.
std::optional<std::uint64_t> milliseconds(std::string_view text) noexcept {
    if (text.ends_with("ms")) text.remove_suffix(2);
    return number<std::uint64_t>(text, 1, hour_ms);
}

/// Nanoseconds, of a number and a unit; 0 needs none.
std::optional<std::int64_t> duration(std::string_view text, std::int64_t most) noexcept {
    struct unit {
        std::string_view name;
        std::int64_t ns;
    };
    constexpr unit units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};  // "s" last: all end so.
    if (text == "0") return 0;
    for (const unit& one : units) {
        if (!text.ends_with(one.name)) continue;
        text.remove_suffix(one.name.size());
        const auto value = number<std::int64_t>(text, 0, most / one.ns);
        if (!value) return std::nullopt;
        return *value * one.ns;
    }
    return std::nullopt;
}

// One entry of the table. `set` returns false for a value it does not take; without it the values are 0 and 1.
struct entry {
    std::string_view key;
    std::string_view expected;
    bool (*set)(environment&, std::string_view) noexcept = nullptr;
    bool environment::*flag = nullptr;
};

bool set(const entry& known, environment& e, std::string_view value) noexcept {
    if (known.set != nullptr) return known.set(e, value);
    if (value != "0" && value != "1") return false;
    e.*known.flag = value == "1";
    return true;
}

constexpr entry variables[] = {
    {"WEFT_PROCS", "a number of processors from 1 to 1024",
     [](environment& e, std::string_view v) noexcept {
         const auto n = number<unsigned>(v, 1, 1024);
         if (n) e.processors = *n;
         return n.has_value();
     }},
    {"WEFT_GC_PERCENT", "a percentage, or -1 for off",
     [](environment& e, std::string_view v) noexcept {
         const auto n = number<int>(v, -1, 1'000'000);
         if (n) e.gc_percent = *n, e.has_gc_percent = true;
         return n.has_value();
     }},
    {"WEFT_MEMORY_LIMIT", "bytes, or a number with K, M or G",
     [](environment& e, std::string_view v) noexcept {
         const auto n = size(v);
         if (n) e.memory_limit = *n;
         return n.has_value();
     }},
    {"WEFT_TIMER_SLACK", "a duration up to 1s, such as 50us or 1ms, or 0",
     [](environment& e, std::string_view v) noexcept {
         const auto n = duration(v, second_ns);
         if (n) e.timer_slack_ns = *n, e.has_timer_slack = true;
         return n.has_value();
     }},
};

constexpr entry debug_keys[] = {
    {"schedtrace", "milliseconds from 1 to 3600000",
     [](environment& e, std::string_view v) noexcept {
         const auto n = milliseconds(v);
         if (n) e.schedtrace_ms = *n;
         return n.has_value();
     }},
    {"stall", "milliseconds from 1 to 3600000",
     [](environment& e, std::string_view v) noexcept {
         const auto n = milliseconds(v);
         if (n) e.stall_ms = *n;
         return n.has_value();
     }},
    {"guard", "canary or page",
     [](environment& e, std::string_view v) noexcept {
         if (v != "canary" && v != "page") return false;
         e.guard_canary = v == "canary";
         return true;
     }},
    {"stealseed", "a number",
     [](environment& e, std::string_view v) noexcept {
         const auto n = number<std::uint64_t>(v, 0, std::numeric_limits<std::uint64_t>::max());
         if (n) e.steal_seed = *n;
         return n.has_value();
     }},
    {"crash", "0 or 1", nullptr, &environment::crash},
    {"sigquit", "0 or 1",
     [](environment& e, std::string_view v) noexcept {
         if (v != "0" && v != "1") return false;
         e.sigquit = e.sigquit_always = v == "1";
         return true;
     }},
    {"dump", "full or grouped",
     [](environment& e, std::string_view v) noexcept {
         if (v != "full" && v != "grouped") return false;
         e.dump_full = v == "full";
         return true;
     }},
    {"gctrace", "0 or 1", nullptr, &environment::gc_trace},
    {"gcpoison", "0 or 1", nullptr, &environment::gc_poison},
    {"throwstack", "0 or 1", nullptr, &environment::throw_stack},
    {"unclaimed", "0 or 1", nullptr, &environment::unclaimed},
};

const entry* find(const entry* first, const entry* last, std::string_view key) noexcept {
    for (; first != last; ++first) {
        if (first->key == key) return first;
    }
    return nullptr;
}

void read_debug_list(environment& e, std::string_view list) noexcept {
    while (!list.empty()) {
        const auto comma = list.find(',');
        const std::string_view item = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        if (item.empty()) continue;
        const auto equals = item.find('=');
        const std::string_view key = item.substr(0, equals);
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
        const entry* const known = find(std::begin(debug_keys), std::end(debug_keys), key);
        if (known == nullptr) {
            complain_unknown("WEFT_DEBUG key", key);
        } else if (!set(*known, e, value)) {
            complain(key, value, known->expected);
        }
    }
}

}  // namespace

environment read_environment(const char* const* variable) noexcept {
    environment result;
    for (; variable != nullptr && *variable != nullptr; ++variable) {
        if (std::strncmp(*variable, "WEFT_", 5) != 0) continue;
        const std::string_view text = *variable;
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view key = text.substr(0, equals);
        const std::string_view value = text.substr(equals + 1);

        if (key.starts_with("WEFT_STRESS_")) continue;
        if (key == "WEFT_DEBUG") {
            read_debug_list(result, value);
        } else if (const entry* known = find(std::begin(variables), std::end(variables), key)) {
            if (!set(*known, result, value)) complain(key, value, known->expected);
        } else {
            complain_unknown("environment variable", key);
        }
    }
    return result;
}

environment read_environment() noexcept { return read_environment(environ); }

}  // namespace weft::detail
