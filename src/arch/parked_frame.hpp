// Where the registers of a parked coroutine are: for debuggers. The frame that jump_fcontext leaves, drawn in
// arch/x86_64/unwind.S.
#pragma once

#include <array>
#include <cstdint>

#if defined(__x86_64__)
extern "C" [[gnu::visibility("hidden")]] const char weft_resume[];
#endif

namespace weft::detail {

struct saved_register {
    const char* name;
    std::uint64_t offset;  // From the context.
};

#if defined(__x86_64__)

/// Every one that the frame has, and its size.
inline constexpr std::array<saved_register, 8> parked_frame{{{"context.r12", 0x08},
                                                             {"context.r13", 0x10},
                                                             {"context.r14", 0x18},
                                                             {"context.r15", 0x20},
                                                             {"context.rbx", 0x28},
                                                             {"context.rbp", 0x30},
                                                             {"context.rip", 0x38},
                                                             {"context.size", 0x40}}};
/// The address that is saved as rip.
inline constexpr const void* parked_resume = weft_resume;

#else

inline constexpr std::array<saved_register, 0> parked_frame{};
inline constexpr const void* parked_resume = nullptr;

#endif

}  // namespace weft::detail
