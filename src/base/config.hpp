// Compile-time switches, turned from macros into constants in this one place.
//
// CMake defines the macros for the library and for everything that includes its private headers.
// The rest of the code branches on the constants with `if constexpr` or `?:`, so both sides of
// every switch are compiled in every build.
#pragma once

#ifndef WEFT_ASSERTIONS
#ifdef NDEBUG
#define WEFT_ASSERTIONS 0
#else
#define WEFT_ASSERTIONS 1
#endif
#endif

#ifndef WEFT_TINY_LIMITS
#define WEFT_TINY_LIMITS 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif
#ifndef WEFT_ASAN
#define WEFT_ASAN 0
#endif
#ifndef WEFT_TSAN
#define WEFT_TSAN 0
#endif

namespace weft::detail {

/// Compiled with AddressSanitizer, with ThreadSanitizer. These two decide by `#if` where they include
/// the sanitizer's headers, and nowhere else.
inline constexpr bool asan_build = WEFT_ASAN != 0;
inline constexpr bool tsan_build = WEFT_TSAN != 0;

/// WEFT_ASSERT is live.
inline constexpr bool assertions = WEFT_ASSERTIONS != 0;

/// Every capacity in the runtime is shrunk until its rare path is the common one: queues overflow,
/// indexes wrap, stacks split and caches refill within a few steps. A test build, never a product.
inline constexpr bool tiny_limits = WEFT_TINY_LIMITS != 0;

}  // namespace weft::detail
