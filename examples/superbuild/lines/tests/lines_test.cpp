// Bytes in pieces of every size give the same lines; a channel of them ends when its pipe does.
#include <lines/lines.hpp>

#include <weft/runtime.hpp>

#include <cstdio>
#include <string>
#include <system_error>
#include <unistd.h>

namespace {

int failures = 0;

void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "lines_test: failed: %s\n", what);
    ++failures;
}

std::string shown(const lines::line& l) {
    return std::to_string(l.number) + (l.whole ? ":" : "~") + l.text + "|";
}

void splits_the_same_however_the_bytes_come() {
    const std::string text = "one\n\nthree is too long\nfour";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        std::string seen;
        const auto take = [&](const lines::line& l) { seen += shown(l); };
        lines::splitter split(8);
        for (std::size_t at = 0; at < text.size(); at += piece)
            split.feed(std::string_view(text).substr(at, piece), take);
        split.finish(take);
        check(seen == "1:one|2:|3~three is|4:four|", "one line each, cut at 8 bytes");
    }
}

void reads_a_pipe_to_its_end() {
    int ends[2];
    if (pipe(ends) != 0) return check(false, "a pipe");
    weft::scope reading;
    const auto channel = lines::read(reading, ends[0], {.queue = 1, .longest = 100});
    lines::write(ends[1], "a\nb\nc");
    close(ends[1]);
    std::string seen;
    for (const lines::line& l : channel) seen += shown(l);
    reading.join();
    close(ends[0]);
    check(seen == "1:a|2:b|3:c|", "what was written is read");
}

void reports_a_descriptor_that_cannot_be_read() {
    weft::scope reading;
    const auto channel = lines::read(reading, -1);
    check(!channel.recv().has_value(), "the channel is closed");
    try {
        reading.join();
        check(false, "join() throws");
    } catch (const std::system_error& e) {
        check(e.code() == std::errc::bad_file_descriptor, "it throws the system's error");
    }
}

}  // namespace

int main() {
    const int status = weft::run([] {
        splits_the_same_however_the_bytes_come();
        reads_a_pipe_to_its_end();
        reports_a_descriptor_that_cannot_be_read();
    });
    return status == 0 && failures == 0 ? 0 : 1;
}
