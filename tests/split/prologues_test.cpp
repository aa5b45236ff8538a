// What a call through a pointer knows a split function by, wherever on a page that lies: such a function is called where
// its caller is, any other on a large segment.
#include "os/memory.hpp"
#include "split/segments.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace weft::test {
namespace {

using bytes = std::vector<unsigned char>;

// What g++ begins a split function with; the frame of the third is 4 KiB.
const bytes endbr64{0xf3, 0x0f, 0x1e, 0xfa};
const bytes compare_rsp{0x64, 0x48, 0x3b, 0x24, 0x25, 0x70, 0, 0, 0};
const bytes compare_r11{0x4c, 0x8d, 0x9c, 0x24, 0,    0xf0, 0xff, 0xff, 0x64,
                        0x4c, 0x3b, 0x1c, 0x25, 0x70, 0,    0,    0};
// movq %rsp, %rax; ret
const bytes return_rsp{0x48, 0x89, 0xe0, 0xc3};

bytes operator+(bytes a, const bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// A page of code, and one behind it.
class Prologues : public plain_runtime {
protected:
    using function = std::uintptr_t (*)();

    void SetUp() override {
        plain_runtime::SetUp();
        void* const pages = mmap(nullptr, 2 * detail::page_size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(pages, MAP_FAILED);
        pages_ = static_cast<unsigned char*>(pages);
    }
    void TearDown() override {
        munmap(pages_, 2 * detail::page_size);
        plain_runtime::TearDown();
    }

    // `code` at an offset of the first page. Without `more` there is nothing behind that page, as at a mapping's end.
    function place(std::size_t offset, const bytes& code, bool more) {
        EXPECT_EQ(mprotect(pages_, 2 * detail::page_size, PROT_READ | PROT_WRITE), 0);
        std::memcpy(pages_ + offset, code.data(), code.size());
        EXPECT_EQ(mprotect(pages_, 2 * detail::page_size, PROT_READ | PROT_EXEC), 0);
        if (!more) {
            EXPECT_EQ(mprotect(pages_ + detail::page_size, detail::page_size, PROT_NONE), 0);
        }
        return reinterpret_cast<function>(pages_ + offset);
    }

    // Whether it is called on the caller's segment. Of a coroutine that has all of its first segment.
    [[gnu::noinline]] static bool called_in_place(function f) {
        const segment& mine = newest_segment();
        function volatile unknown = f;
        const std::uintptr_t sp = unknown();
        return sp >= reinterpret_cast<std::uintptr_t>(mine.base()) &&
               sp < reinterpret_cast<std::uintptr_t>(mine.top());
    }

private:
    unsigned char* pages_ = nullptr;
};

TEST_F(Prologues, AreKnownWhereverFunctionsAreAligned) {
    for (const bytes& prologue :
         {compare_rsp, compare_r11, endbr64 + compare_rsp, endbr64 + compare_r11}) {
        for (std::size_t offset = 0; offset != detail::page_size; offset += 16) {
            const function f = place(offset, prologue + return_rsp, true);
            bool in_place = false;
            in_coroutine([&] { in_place = called_in_place(f); });
            EXPECT_TRUE(in_place) << offset;
        }
    }
}

TEST_F(Prologues, ArentReadBeyondTheEndOfAMapping) {
    for (const bytes& code : {return_rsp, endbr64 + return_rsp, compare_rsp + return_rsp}) {
        const bool split = code.size() > 8;
        const function f = place(detail::page_size - code.size(), code, false);
        bool in_place = !split;
        in_coroutine([&] { in_place = called_in_place(f); });
        EXPECT_EQ(in_place, split) << code.size();
    }
    // Shorter than anything that is compared.
    const function nothing = place(detail::page_size - 1, {0xc3}, false);
    in_coroutine([&] { called_in_place(nothing); });
}

}  // namespace
}  // namespace weft::test
