// Machine contexts alone, without a scheduler: control and words pass, registers and control words stay.
#include "context/context.hpp"

#include "base/tsan.hpp"
#include "context/sanitizer.hpp"
#include "os/memory.hpp"
#include "os/thread.hpp"

#include <gtest/gtest.h>

#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace weft::detail {
namespace {

// A body on a stack of its own, which the thread and the body enter by turns.
class side {
public:
    explicit side(std::function<void(side&)> body) : body_(std::move(body)) {
        memory_ = static_cast<std::byte*>(reserve_pages(size, page_size, "test"));
        if constexpr (tsan_build) fiber_ = new_tsan_fiber();
        context_ = make_context(memory_ + size, size, &enter);
    }
    ~side() {
        EXPECT_TRUE(over_);
        delete_tsan_fiber(fiber_);
        unpoison_stack(memory_, size);
        release_pages(memory_, size);
    }
    side(const side&) = delete;
    side& operator=(const side&) = delete;

    // From the thread: runs the body until it hands back. Returns the word it sent.
    void* resume(void* word = nullptr) {
        caller_fiber_ = this_tsan_fiber();
        if (caller_stack_.size == 0) caller_stack_ = this_thread_stack();
        pair_ sent{this, word};
        void* fake_stack = nullptr;
        const context_ref to = context_;
        hand_over(this);  // The two take turns.
        before_switch(&fake_stack, memory_, size, fiber_);
        const arrival back = jump(to, &sent);
        after_switch(fake_stack);
        take_over(this);
        context_ = back.from;
        return back.word;
    }

    // From the body: back to the thread. Returns the word of the next resume().
    void* hand_back(void* word = nullptr) {
        void* fake_stack = nullptr;
        const context_ref to = caller_;
        const stack_bounds callers = caller_stack_;
        void* const fiber = caller_fiber_;
        hand_over(this);
        before_switch(&fake_stack, callers.bottom, callers.size, fiber);
        const arrival again = jump(to, word);
        after_switch(fake_stack);
        take_over(this);
        caller_ = again.from;
        return static_cast<pair_*>(again.word)->word;
    }

    [[nodiscard]] bool over() const { return over_; }
    [[nodiscard]] bool holds(const void* address) const {
        return address >= memory_ && address < memory_ + size;
    }

private:
    static constexpr std::size_t size = std::size_t{256} * 1024;
    struct pair_ {
        side* self;
        void* word;
    };

    static side* self_of(raw_arrival raw) {
        const unrecorded unseen;  // It lies on the other's stack.
        return static_cast<pair_*>(raw.data)->self;
    }

    static void enter(raw_arrival raw) {
        after_switch(nullptr);
        side& self = *self_of(raw);
        take_over(&self);
        self.caller_ = raw.fctx;
        self.body_(self);
        self.over_ = true;
        const context_ref to = self.caller_;
        const stack_bounds callers = self.caller_stack_;
        void* const fiber = self.caller_fiber_;
        hand_over(&self);
        drop_shadow_frame();
        before_switch(nullptr, callers.bottom, callers.size, fiber);
        jump(to, nullptr);
        std::abort();
    }

    std::function<void(side&)> body_;
    std::byte* memory_ = nullptr;
    void* fiber_ = nullptr;
    context_ref context_ = nullptr;
    context_ref caller_ = nullptr;
    void* caller_fiber_ = nullptr;
    stack_bounds caller_stack_{nullptr, 0};
    bool over_ = false;
};

TEST(Context, RunsItsEntryOnItsOwnStackAndComesBack) {
    bool ran = false;
    side s([&](side& me) {
        int local = 0;
        EXPECT_TRUE(me.holds(&local));
        ran = true;
    });
    EXPECT_FALSE(ran) << "making it runs nothing";
    s.resume();
    EXPECT_TRUE(ran);
}

TEST(Context, WordsPassBothWays) {
    int a = 0, b = 0, c = 0;
    side s([&](side& me) {
        EXPECT_EQ(me.hand_back(&a), &b);
        EXPECT_EQ(me.hand_back(&c), nullptr);
    });
    EXPECT_EQ(s.resume(), &a);
    EXPECT_EQ(s.resume(&b), &c);
    EXPECT_EQ(s.resume(), nullptr);
}

TEST(Context, TheFirstFrameIsAlignedAsTheAbiAsks) {
    side s([](side&) {
        alignas(16) volatile double aligned[2] = {1, 2};
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&aligned) % 16, 0u);
        // printf of a double uses aligned stores, and dies of a stack that is off by 8.
        EXPECT_EQ(std::to_string(aligned[0] + aligned[1]).substr(0, 3), "3.0");
    });
    s.resume();
}

TEST(Context, StartsWithTheDefaultControlWordsWhateverItsMakersWere) {
    std::fesetround(FE_UPWARD);
    side s([](side& me) {
        EXPECT_EQ(std::fegetround(), FE_TONEAREST);
        me.hand_back();
        EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    });
    s.resume();
    EXPECT_EQ(std::fegetround(), FE_UPWARD) << "the maker has its own again";
    std::fesetround(FE_DOWNWARD);
    s.resume();
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    std::fesetround(FE_TONEAREST);
}

TEST(Context, KeepsItsControlWordsAcrossJumps) {
    side s([](side& me) {
        std::fesetround(FE_TOWARDZERO);
        me.hand_back();
        EXPECT_EQ(std::fegetround(), FE_TOWARDZERO);
    });
    s.resume();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    s.resume();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

#if defined(__x86_64__)
TEST(Context, TheX87AndSseControlWordsAreBothTheDefault) {
    side s([](side&) {
        std::uint16_t x87 = 0;
        std::uint32_t mxcsr = 0;
        asm volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(mxcsr));
        EXPECT_EQ(x87, 0x037f);
        EXPECT_EQ(mxcsr & ~0x3fu, 0x1f80u) << "but for the sticky flags";
    });
    s.resume();
}

// void weft_test_registers(void (*away)(void*), void* argument, const uint64_t values[6], uint64_t got[6]):
// calls away(argument) with the values in the callee-saved registers, and says what is in them behind it.
asm(".text\n"
    ".type weft_test_registers, @function\n"
    "weft_test_registers:\n"
    "  push %rbx\n"
    "  push %rbp\n"
    "  push %r12\n"
    "  push %r13\n"
    "  push %r14\n"
    "  push %r15\n"
    "  push %rcx\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov 0(%rdx), %rbx\n"
    "  mov 8(%rdx), %rbp\n"
    "  mov 16(%rdx), %r12\n"
    "  mov 24(%rdx), %r13\n"
    "  mov 32(%rdx), %r14\n"
    "  mov 40(%rdx), %r15\n"
    "  call *%rax\n"
    "  pop %rcx\n"
    "  mov %rbx, 0(%rcx)\n"
    "  mov %rbp, 8(%rcx)\n"
    "  mov %r12, 16(%rcx)\n"
    "  mov %r13, 24(%rcx)\n"
    "  mov %r14, 32(%rcx)\n"
    "  mov %r15, 40(%rcx)\n"
    "  pop %r15\n"
    "  pop %r14\n"
    "  pop %r13\n"
    "  pop %r12\n"
    "  pop %rbp\n"
    "  pop %rbx\n"
    "  ret\n"
    ".size weft_test_registers, . - weft_test_registers\n");
extern "C" void weft_test_registers(void (*away)(void*), void* argument,
                                    const std::uint64_t* values, std::uint64_t* got);

void expect_registers_survive(std::uint64_t seed, void (*away)(void*), void* argument) {
    std::uint64_t values[6];
    std::uint64_t got[6] = {};
    for (std::uint64_t i = 0; i != 6; ++i) values[i] = seed * 0x9e3779b97f4a7c15 + i;
    weft_test_registers(away, argument, values, got);
    for (std::uint64_t i = 0; i != 6; ++i) EXPECT_EQ(got[i], values[i]) << "register " << i;
}

TEST(Context, RegistersThatACallKeepsAreKeptByAJump) {
    side s([](side& me) {
        for (std::uint64_t n = 1; n != 4; ++n) {
            expect_registers_survive(
                n, [](void* to) { static_cast<side*>(to)->hand_back(); }, &me);
        }
    });
    for (std::uint64_t n = 11; n != 15; ++n) {
        expect_registers_survive(
            n, [](void* to) { static_cast<side*>(to)->resume(); }, &s);
    }
}
#endif

TEST(Context, ExceptionsAreThrownAndCaughtInside) {
    std::string caught;
    side s([&](side& me) {
        try {
            me.hand_back();
            throw std::runtime_error("inside");
        } catch (const std::exception& e) {
            caught = e.what();
        }
    });
    s.resume();
    s.resume();
    EXPECT_EQ(caught, "inside");
}

TEST(Context, ManyTakeTurns) {
    constexpr std::uint64_t turns = 1000;
    std::uint64_t sum = 0;
    const auto body = [&sum](side& me) {
        std::uint64_t own = 0;
        for (std::uint64_t n = 0; n != turns; ++n) {
            own += n;
            me.hand_back();
        }
        sum += own;
    };
    side a(body), b(body), c(body);
    for (std::uint64_t n = 0; n != turns + 1; ++n) {
        a.resume();
        b.resume();
        c.resume();
    }
    EXPECT_EQ(sum, 3 * turns * (turns - 1) / 2);
}

}  // namespace
}  // namespace weft::detail
