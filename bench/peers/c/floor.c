/* What does this machine charge for the pieces a coroutine runtime is made of? The scale for every
 * other figure: no runtime can be below these. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

/* Boost.Context's switch, declared here because its header is C++. */
typedef void* fcontext_t;
typedef struct {
    fcontext_t from;
    void* data;
} transfer_t;
transfer_t jump_fcontext(fcontext_t to, void* data);
fcontext_t make_fcontext(void* stack_top, size_t size, void (*entry)(transfer_t));

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void result(const char* metric, int64_t start, int operations) {
    printf("RESULT %s %.2f ns\n", metric, (double)(now_ns() - start) / operations);
}

static void bounce(transfer_t t) {
    for (;;) t = jump_fcontext(t.from, NULL);
}

static void jump(void) {
    enum { round_trips = 10000000, stack_size = 64 << 10 };
    static char stack[stack_size];
    transfer_t t = {make_fcontext(stack + stack_size, stack_size, bounce), NULL};
    const int64_t start = now_ns();
    for (int i = 0; i != round_trips; ++i) t = jump_fcontext(t.from, NULL);
    result("jump", start, 2 * round_trips);
}

static void clock_read(void) {
    enum { reads = 5000000 };
    const int64_t start = now_ns();
    int64_t last = 0;
    for (int i = 0; i != reads; ++i) last = now_ns();
    if (last < start) puts("the clock went backwards");
    result("clock_read", start, reads);
}

/* An uncontended atomic add: a full barrier on x86. */
static void atomic_add(void) {
    enum { adds = 20000000 };
    static int64_t word;
    const int64_t start = now_ns();
    for (int i = 0; i != adds; ++i) __atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
    result("atomic_add", start, adds);
}

static void first_touch(void) {
    enum { pages = 20000, page_size = 4096 };
    char* const memory = mmap(NULL, (size_t)pages * page_size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    madvise(memory, (size_t)pages * page_size, MADV_NOHUGEPAGE);
    const int64_t start = now_ns();
    for (int i = 0; i != pages; ++i) memory[(size_t)i * page_size] = 1;
    result("first_touch_4k", start, pages);
}

int main(void) {
    jump();
    clock_read();
    atomic_add();
    first_touch();
    return 0;
}
