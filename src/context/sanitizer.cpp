#include "context/sanitizer.hpp"

#include "base/print.hpp"

#include <atomic>
#include <cstdlib>

#if WEFT_TSAN
#include <link.h>
#endif

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

void share_thread_storage() noexcept {
#if WEFT_TSAN
    // For each module: where the calling thread has its variables of that module.
    const auto share = [](dl_phdr_info* module, std::size_t, void*) {
        for (int i = 0; module->dlpi_tls_data != nullptr && i != module->dlpi_phnum; ++i) {
            const ElfW(Phdr)& header = module->dlpi_phdr[i];
            if (header.p_type != PT_TLS) continue;
            AnnotateBenignRaceSized(__FILE__, __LINE__, module->dlpi_tls_data, header.p_memsz,
                                    "thread-local");
        }
        return 0;
    };
    ::dl_iterate_phdr(share, nullptr);
#endif
}

}  // namespace weft::detail
