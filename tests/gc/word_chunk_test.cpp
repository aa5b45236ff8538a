#include "gc/mutator.hpp"
#include "gc/word_chunk.hpp"

#include <weft/gc.hpp>
#include <weft/runtime.hpp>

#include <gtest/gtest.h>

namespace weft::detail {
namespace {

// A mutator may note a word after the last cycle, if it has read before the end of that cycle that the collector marks. The memory of
// all chunks is given back with the heap, so the next runtime's collector would read what is unmapped.
TEST(WordChunk, ThoseThatNobodyHasReadAreForgottenWithTheHeap) {
    for (int i = 0; i != 3; ++i) {
        weft::run([] {
            static_cast<void>(gc::make<int>(1));
            gc::collect();
            gc_notes.shaded.push(take_chunk());
            gc_notes.left.push(take_chunk());
        });
        EXPECT_EQ(gc_notes.shaded.take_all(), nullptr);
        EXPECT_EQ(gc_notes.left.take_all(), nullptr);
    }
}

}  // namespace
}  // namespace weft::detail
