#include "base/assert.hpp"

#include "base/print.hpp"
#include "base/stack_facts.hpp"

#include <atomic>
#include <cstdlib>

namespace weft::detail {

namespace {
std::atomic<evidence_hook> evidence{nullptr};
std::atomic<death_told> told{death_told::nothing};
}  // namespace

void tell_of_death(death_told what) noexcept { told.store(what); }
death_told told_of_death() noexcept { return told.load(); }

void abort_told() noexcept {
    if (told.load() == death_told::nothing) told.store(death_told::reason);
    std::abort();
}

void set_evidence_hook(evidence_hook hook) noexcept { evidence.store(hook); }

WEFT_NOIPA void print_evidence() noexcept {
    WEFT_CALLS("evidence");
    if (const evidence_hook hook = evidence.load()) hook();
}

[[gnu::noinline]] void check_failed(const char* file, int line, const char* expression) noexcept {
    WEFT_DEEP;
    {
        printer out;
        out << file << ":" << line << ": weft: check failed: " << expression << "\n";
        out.flush();
    }
    print_evidence();
    abort_told();
}

}  // namespace weft::detail
