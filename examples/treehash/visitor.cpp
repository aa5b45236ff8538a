#include "visitor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string_view>

namespace treehash {

namespace {

// Small enough to stay in the second-level cache between the read and the hash.
constexpr std::size_t buffer_size = 128 * 1024;

// Where a link's target is as long as this, it is longer: the buffer grows and we ask again.
constexpr std::size_t target_size_guess = 256;

bool read_target(int parent, const std::string& name, std::string& target) {
    for (std::size_t size = target_size_guess;; size *= 2) {
        target.resize(size);
        const ssize_t length = readlinkat(parent, name.c_str(), target.data(), size);
        if (length < 0) return false;
        if (static_cast<std::size_t>(length) == size) continue;
        target.resize(static_cast<std::size_t>(length));
        return true;
    }
}

}  // namespace

std::vector<listed> visitor::enter(int top, const std::string& path, directory& opened) {
    std::error_code error;
    std::vector<listed> entries;
    opened = directory::open(top, path, error);
    if (!error) entries = opened.list(error);
    if (error) note_unread(path, error);
    return entries;
}

bool visitor::visit(const directory& parent, const listed& entry, std::uint64_t size_max) {
    switch (entry.what) {
    case kind::file:
        return visit_file(parent, entry, size_max);
    case kind::link:
        visit_link(parent, entry);
        return true;
    default:
        found_.add(parent.path_of(entry.name), entry.what);
        return true;
    }
}

bool visitor::visit_file(const directory& parent, const listed& entry, std::uint64_t size_max) {
    const std::string path = parent.path_of(entry.name);
    const descriptor file(openat(parent.fd(), entry.name.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status;
    if (!file || fstat(file.get(), &status) != 0) {
        note_unread(path, last_error());
        return true;
    }
    if (const kind now = kind_of(status.st_mode); now != kind::file) {
        // It was something else a moment ago. A directory would have to be entered: too late for that.
        if (now == kind::directory)
            note_unread(path, std::make_error_code(std::errc::is_a_directory));
        else
            found_.add(path, now);
        return true;
    }
    if (static_cast<std::uint64_t>(status.st_size) > size_max) return false;

    content held;
    if (const std::error_code error = read_all(file.get(), held)) {
        note_unread(path, error);
        return true;
    }
    found_.add(path, kind::file, held);
    shown_.files.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void visitor::visit_link(const directory& parent, const listed& entry) {
    const std::string path = parent.path_of(entry.name);
    content held;
    std::string target;
    if (!read_target(parent.fd(), entry.name, target)) {
        note_unread(path, last_error());
        return;
    }
    hasher_.restart();
    hasher_.add(std::string_view(target));
    held.size = target.size();
    held.hash = hasher_.result();
    found_.add(path, kind::link, held);

    // The walk follows no link, so it cannot go round in circles; who uses this tree may. A link that
    // leads nowhere is in order: many are made to be valid elsewhere.
    struct stat status;
    if (fstatat(parent.fd(), entry.name.c_str(), &status, AT_NO_AUTOMOUNT) != 0 && errno == ELOOP)
        note(path, last_error());
}

std::error_code visitor::read_all(int fd, content& held) {
    buffer_.resize(buffer_size);
    hasher_.restart();
    for (;;) {
        const ssize_t count = read(fd, buffer_.data(), buffer_.size());
        if (count == 0) break;
        if (count < 0) {
            if (errno == EINTR) continue;
            return last_error();
        }
        const auto size = static_cast<std::size_t>(count);
        hasher_.add(std::span<const std::byte>(buffer_.data(), size));
        held.size += size;
        bytes_read_ += size;
        shown_.bytes.fetch_add(size, std::memory_order_relaxed);
    }
    held.hash = hasher_.result();
    return {};
}

void visitor::note(const std::string& path, std::error_code reason) {
    found_.add_problem(path, reason);
    shown_.problems.fetch_add(1, std::memory_order_relaxed);
}

void visitor::note_unread(const std::string& path, std::error_code reason) {
    found_.add(path, kind::unread);
    note(path, reason);
}

}  // namespace treehash
