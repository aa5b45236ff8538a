// Directories: opening one, listing it, and naming what is in it.
#pragma once

#include "tally.hpp"

#include <dirent.h>

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace treehash {

/// Owns a file descriptor.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor();

    explicit operator bool() const noexcept { return fd_ >= 0; }
    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

/// What the last failed system call left in errno.
std::error_code last_error() noexcept;

/// The kind of what a `st_mode` describes.
kind kind_of(mode_t mode) noexcept;

/// An entry as its directory lists it. What it is may have changed by the time someone looks.
struct listed {
    std::string name;
    kind what;
};

class directory {
public:
    directory() = default;

    /// Opens the directory `path` below `top`; an empty path is the top itself. No link on the way is
    /// followed, also one that somebody puts there while we walk.
    static directory open(int top, std::string path, std::error_code& error);

    /// All entries but "." and ".."; on an error those read before it.
    std::vector<listed> list(std::error_code& error);

    int fd() const noexcept { return dirfd(stream_.get()); }
    const std::string& path() const noexcept { return path_; }
    /// The path below the top of an entry of this directory.
    std::string path_of(std::string_view name) const;

private:
    struct close_stream {
        void operator()(DIR* stream) const noexcept { closedir(stream); }
    };
    std::unique_ptr<DIR, close_stream> stream_;
    std::string path_;
};

}  // namespace treehash
