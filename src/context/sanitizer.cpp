#include "context/sanitizer.hpp"

#include "base/print.hpp"

#include <atomic>
#include <cstdlib>

namespace weft::detail {

void* new_tsan_fiber() noexcept {
#if WEFT_TSAN
    static std::atomic<std::size_t> fibers{0};
    if (fibers.fetch_add(1) >= tsan_fibers_max) {
        printer out;
        out << "weft: more than " << std::uint64_t{tsan_fibers_max}
            << " stacks at once: ThreadSanitizer has no room for more\n";
        out.flush();
        std::abort();
    }
    return __tsan_create_fiber(0);
#else
    return nullptr;
#endif
}

void delete_tsan_fiber([[maybe_unused]] void* fiber) noexcept {
#if WEFT_TSAN
    if (fiber != nullptr) __tsan_destroy_fiber(fiber);
#endif
}

}  // namespace weft::detail
