#include "base/assert.hpp"

#include "base/print.hpp"

#include <atomic>
#include <cstdlib>

namespace weft::detail {

namespace {
std::atomic<evidence_hook> evidence{nullptr};
}  // namespace

void set_evidence_hook(evidence_hook hook) noexcept { evidence.store(hook); }

void print_evidence() noexcept {
    if (const evidence_hook hook = evidence.load()) hook();
}

void check_failed(const char* file, int line, const char* expression) noexcept {
    {
        printer out;
        out << file << ":" << line << ": weft: check failed: " << expression << "\n";
        out.flush();
    }
    print_evidence();
    std::abort();
}

}  // namespace weft::detail
