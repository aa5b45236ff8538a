#include <lines/lines.hpp>

#include <weft/go.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace lines {

namespace {

// The call may wait for as long as it likes, so it is made where that stops no coroutine.
ssize_t patiently(const auto& call) {
    return weft::blocking([&] {
        for (;;) {
            const ssize_t done = call();
            if (done != -1) return done;
            if (errno != EINTR) throw std::system_error(errno, std::generic_category());
        }
    });
}

void read_all(int descriptor, const weft::sender<line>& out, std::size_t longest) {
    struct closing {
        const weft::sender<line>& channel;
        ~closing() { channel.close(); }
    } at_the_end{out};
    const auto take = [&](line l) { out.send(std::move(l)); };
    splitter split(longest);
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t got =
            patiently([&] { return ::read(descriptor, buffer.data(), buffer.size()); });
        if (got == 0) break;
        split.feed({buffer.data(), static_cast<std::size_t>(got)}, take);
    }
    split.finish(take);
}

}  // namespace

void splitter::append(std::string_view part) {
    begun_ = true;
    const std::size_t room = longest_ - next_.text.size();
    if (part.size() > room) next_.whole = false;
    next_.text += part.substr(0, room);
}

line splitter::cut() {
    begun_ = false;
    return std::exchange(next_, line{next_.number + 1, {}, true});
}

void splitter::feed(std::string_view bytes, const std::function<void(line)>& take) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        append(bytes.substr(0, end));
        if (end == std::string_view::npos) return;
        take(cut());
        bytes.remove_prefix(end + 1);
    }
}

void splitter::finish(const std::function<void(line)>& take) {
    if (begun_) take(cut());
}

weft::receiver<line> read(weft::scope& owner, int descriptor, read_options options) {
    const weft::chan<line> channel(options.queue);
    owner.go([descriptor, longest = options.longest, out = weft::sender<line>(channel)] {
        read_all(descriptor, out, longest);
    });
    return channel;
}

void write(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t put =
            patiently([&] { return ::write(descriptor, text.data(), text.size()); });
        text.remove_prefix(static_cast<std::size_t>(put));
    }
}

}  // namespace lines
