#include "progress_line.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>

namespace treehash {

namespace {

constexpr auto period = std::chrono::milliseconds(100);
constexpr char erase_line[] = "\r\033[K";

std::uint64_t now(const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
}

void show(const progress& shown) {
    std::fprintf(stderr, "%s%" PRIu64 " files, %" PRIu64 " MB, %" PRIu64 " errors", erase_line,
                 now(shown.files), now(shown.bytes) / 1'000'000, now(shown.problems));
}

}  // namespace

progress_line::progress_line(const progress& shown)
    : updates_(weft::spawn({.name = "progress"}, [&shown] {
          for (;;) {
              weft::sleep_for(period);  // The way out: it throws once a stop is requested.
              weft::blocking([&] { show(shown); });  // A terminal may be stopped (^S).
          }
      })) {}

progress_line::~progress_line() {
    updates_ = {};  // Requests the stop, and waits for it.
    weft::blocking([] { std::fputs(erase_line, stderr); });
}

}  // namespace treehash
