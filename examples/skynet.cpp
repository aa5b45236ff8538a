// skynet [LEAVES]: a tree of coroutines, ten children each, that counts its leaves (a million, unless
// told otherwise).
//
// Every leaf sends its number to its parent, every parent sends the sum of what its ten children sent.
// So a million coroutines, and the 111,111 above them, start, talk once over a channel and end: what a
// program pays that starts one for each small thing it does.
#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace {

constexpr std::int64_t children = 10;

void grow(weft::sender<std::int64_t> out, std::int64_t first, std::int64_t leaves) {
    if (leaves == 1) {
        out.send(first);
        return;
    }
    const std::int64_t each = leaves / children;
    weft::chan<std::int64_t> sums;
    // A child holds the channel by a handle of its own: with the last sum the parent goes on and may be
    // gone before the child has returned from its send.
    for (std::int64_t i = 0; i != children; ++i)
        weft::go([sums, first = first + i * each, each] { grow(sums, first, each); });
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i != children; ++i) sum += *sums.recv();
    out.send(sum);
}

void run(std::int64_t leaves) {
    const auto begin = std::chrono::steady_clock::now();
    weft::chan<std::int64_t> out;
    weft::go([=] { grow(out, 0, leaves); });
    const std::int64_t sum = *out.recv();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("sum %lld\nms %.1f\n", static_cast<long long>(sum), took.count());
}

bool parse(std::string_view text, std::int64_t& leaves) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, leaves);
    if (error != std::errc() || stop != end || leaves < 1) return false;
    std::int64_t left = leaves;
    while (left % children == 0) left /= children;
    return left == 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::int64_t leaves = 1'000'000;
    if (argc > 2 || (argc == 2 && !parse(argv[1], leaves))) {
        std::fputs(
            "usage: skynet [LEAVES]\nLEAVES is a power of ten, 1000000 unless told otherwise.\n",
            stderr);
        return 2;
    }
    return weft::run([leaves] { run(leaves); });
}
