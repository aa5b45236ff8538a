/* Workload C1: how long does a program take from exec to exit? Starts it many times, one after the
 * other, and prints percentiles of the wall time from posix_spawn to waitpid.
 *
 *     coldstart RUNS PROGRAM [ARGUMENTS]
 */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char** environ;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void* a, const void* b) {
    const int64_t x = *(const int64_t*)a;
    const int64_t y = *(const int64_t*)b;
    return (x > y) - (x < y);
}

/* Runs the program once. Returns the time it took, or -1 when it could not be started or failed. */
static int64_t run_once(char** command) {
    const int64_t start = now_ns();
    pid_t child;
    const int error = posix_spawn(&child, command[0], NULL, NULL, command, environ);
    if (error != 0) {
        fprintf(stderr, "coldstart: %s: %s\n", command[0], strerror(error));
        return -1;
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return -1;
    }
    const int64_t took = now_ns() - start;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "coldstart: %s failed, wait status %d\n", command[0], status);
        return -1;
    }
    return took;
}

int main(int argc, char** argv) {
    const int runs = argc > 2 ? atoi(argv[1]) : 0;
    if (runs <= 0) {
        fprintf(stderr, "usage: coldstart RUNS PROGRAM [ARGUMENTS]\n");
        return 2;
    }
    int64_t* const took_ns = malloc((size_t)runs * sizeof *took_ns);
    if (took_ns == NULL) return 1;
    if (run_once(argv + 2) < 0) return 1; /* Warms the page cache. */
    for (int i = 0; i != runs; ++i) {
        took_ns[i] = run_once(argv + 2);
        if (took_ns[i] < 0) return 1;
    }
    qsort(took_ns, (size_t)runs, sizeof *took_ns, compare);
    printf("RESULT coldstart_p50 %.1f us\n", (double)took_ns[runs / 2] / 1e3);
    printf("RESULT coldstart_p10 %.1f us\n", (double)took_ns[runs / 10] / 1e3);
    free(took_ns);
    return 0;
}
