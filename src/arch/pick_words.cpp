#include "arch/pick_words.hpp"

#include "arch/vector_words.hpp"

namespace weft::detail {

__attribute__((no_sanitize("address"), no_sanitize("thread"))) std::size_t
pick_words_plain(const std::uintptr_t* from, std::size_t count, std::uintptr_t base,
                 std::size_t size, std::uintptr_t* out) noexcept {
    std::size_t picked = 0;
    for (std::size_t i = 0; i != count; ++i) {
        // volatile: one read, of the whole word.
        const std::uintptr_t word = *static_cast<const volatile std::uintptr_t*>(from + i);
        out[picked] = word;
        picked += word - base < size ? 1 : 0;
    }
    return picked;
}

word_picker vector_picker() noexcept { return has_vector_filter() ? &filter_by_vector : nullptr; }

word_picker best_picker() noexcept {
    const word_picker vector = vector_picker();
    return vector != nullptr ? vector : &pick_words_plain;
}

}  // namespace weft::detail
