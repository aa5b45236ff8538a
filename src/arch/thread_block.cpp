#include <weft/detail/gc_heap.hpp>
#include <weft/detail/thread_block.hpp>

extern "C" {
[[gnu::used]] constinit thread_local weft::detail::thread_block weft_thread_block;
}

namespace weft::detail {

attention_word no_attention{0};

constinit gc_local_head gc_no_heap{};

#if !(defined(__x86_64__) && defined(__linux__))
[[gnu::noinline]] thread_block* this_thread_block() noexcept {
    asm volatile("" ::: "memory");  // Not to be taken for a const function.
    return &weft_thread_block;
}
#endif

}  // namespace weft::detail
