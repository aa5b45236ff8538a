// What this build is, for tests that must ask for less of it.
#pragma once

namespace weft::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

/// Coroutines of this test begin with a tiny segment; those of the runtime itself, as main's, do not.
#if defined(WEFT_SPLIT_STACK) && WEFT_SPLIT_STACK
inline constexpr bool split_stacks = true;
#else
inline constexpr bool split_stacks = false;
#endif

/// How much of a load this build can take in the time of a test.
inline constexpr unsigned slowdown = thread_sanitizer ? 10 : address_sanitizer ? 4 : 1;

}  // namespace weft::test
