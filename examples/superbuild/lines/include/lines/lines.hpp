// Lines of text from a descriptor, as a channel.
#pragma once

#include <weft/chan.hpp>
#include <weft/scope.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace lines {

struct line {
    std::size_t number = 0;  // From 1.
    std::string text;        // Without its end.
    bool whole = true;       // Otherwise it was longer than allowed, and `text` is its beginning.
};

/// Cuts bytes into lines, in whatever pieces they come.
class splitter {
public:
    explicit splitter(std::size_t longest) : longest_(longest) {}

    /// Calls take(line) for each line that ends within `bytes`.
    void feed(std::string_view bytes, const std::function<void(line)>& take);
    /// Calls it for what has no end.
    void finish(const std::function<void(line)>& take);

private:
    void append(std::string_view part);
    line cut();

    std::size_t longest_;
    line next_{1, {}, true};
    bool begun_ = false;
};

struct read_options {
    std::size_t queue = 16;  // Lines that wait for their reader. When it is full nothing is read.
    std::size_t longest = 4096;  // Bytes of a line.
};

/// Reads `descriptor` in a coroutine of `owner`. The channel closes at the end, or after an error, which `owner.join()`
/// throws as std::system_error.
weft::receiver<line> read(weft::scope& owner, int descriptor, read_options options = {});

/// Writes all of `text`; std::system_error when that is not possible.
void write(int descriptor, std::string_view text);

}  // namespace lines
