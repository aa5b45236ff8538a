#include "context/sanitizer.hpp"

#include "base/print.hpp"

#include <atomic>
#include <cstdlib>

namespace weft::detail {

#if WEFT_TSAN
extern "C" void AnnotateBenignRaceSized(const char* file, int line, const volatile void* memory,
                                        std::size_t size, const char* description);

namespace {
std::atomic<std::size_t> fibers{0};
}  // namespace
#endif

void* new_tsan_fiber() noexcept {
#if WEFT_TSAN
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
    if (fiber == nullptr) return;
    __tsan_destroy_fiber(fiber);
    fibers.fetch_sub(1);
#endif
}

void shared_by_fibers([[maybe_unused]] const void* memory,
                      [[maybe_unused]] std::size_t size) noexcept {
#if WEFT_TSAN
    AnnotateBenignRaceSized(__FILE__, __LINE__, memory, size, "belongs to the thread");
#endif
}

}  // namespace weft::detail
