#include "report/unclaimed_text.hpp"

#include "base/print.hpp"
#include "report/symbols.hpp"
#include "sched/identity.hpp"

#include <string_view>

namespace weft::detail {
namespace {

constexpr std::size_t lines_max = 20;

}  // namespace

void print_unclaimed(printer& out, const unclaimed_end& what, bool demangle) noexcept {
    out << "coroutine " << what.id;
    if (what.name[0] != '\0') out << " '" << std::string_view(what.name.data()) << "'";
    out << " ended by ";
    if (what.type == nullptr) {
        out << "an exception";
    } else if (!demangle) {
        out << std::string_view(what.type->name());
    } else {
        try {
            out << demangled(what.type->name());
        } catch (...) {
            out << std::string_view(what.type->name());
        }
    }
    if (what.what[0] != '\0') out << ": " << std::string_view(what.what.data());
    out << ", not joined yet; ";
    print_origin(out, what.created_at);
    out << "\n";
}

void append_unclaimed(std::string& text) {
    std::size_t more = 0;
    for (const unclaimed_end& one : unclaimed_ends(lines_max, more)) {
        printer line;
        line << "weft: ";
        print_unclaimed(line, one);
        text += line.view();
    }
    if (more != 0) text += "weft: and " + std::to_string(more) + " more that ended so\n";
}

void say_unclaimed(const unclaimed_end& what) noexcept {
    printer out;
    out << "weft: ";
    print_unclaimed(out, what);
    out.flush();
}

}  // namespace weft::detail
