// The collector's filter of words, by vectors. For one source alone: it includes all of the CPU's
// intrinsics.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weft::detail {

/// Whether the CPU, and the kernel, have all that filter_by_vector() is compiled for.
[[nodiscard]] inline bool has_vector_filter() noexcept {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("popcnt") != 0;
#else
    return false;
#endif
}

/// Copies those of `count` words that lie in [base, base + size) to `out`, which has room for all
/// and 8 more; returns how many. Only where has_vector_filter() says so.
///
/// A load of 64 bytes is no atomic access, but each word that is aligned is read as a whole: no CPU
/// with AVX-512 splits it. Compressed in a register, because to store compressed takes a hundred
/// cycles on some.
#if defined(__x86_64__)
__attribute__((target("avx512f,popcnt"), no_sanitize("address"),
               no_sanitize("thread"))) inline std::size_t
filter_by_vector(const std::uintptr_t* from, std::size_t count, std::uintptr_t base,
                 std::size_t size, std::uintptr_t* out) noexcept {
    const __m512i bases = _mm512_set1_epi64(static_cast<long long>(base));
    const __m512i sizes = _mm512_set1_epi64(static_cast<long long>(size));
    std::size_t found = 0;
    while (count != 0) {
        const std::size_t lanes = count < 8 ? count : 8;
        const auto there = static_cast<__mmask8>((1u << lanes) - 1);
        const __m512i words = _mm512_maskz_loadu_epi64(there, from);
        const __mmask8 inside =
            _mm512_mask_cmplt_epu64_mask(there, _mm512_sub_epi64(words, bases), sizes);
        _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi64(inside, words));
        found += static_cast<std::size_t>(__builtin_popcount(inside));
        from += lanes;
        count -= lanes;
    }
    return found;
}
#else
inline std::size_t filter_by_vector(const std::uintptr_t*, std::size_t, std::uintptr_t, std::size_t,
                                    std::uintptr_t*) noexcept {
    return 0;
}
#endif

}  // namespace weft::detail
