#include "directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace treehash {

namespace {

// One step at a time, since O_NOFOLLOW guards only the last component of a path. It also lifts the
// limit of PATH_MAX on how deep a tree may be. The steps between are O_PATH: they need no permission to
// list, as in any other path.
descriptor open_below(int top, const std::string& path, std::error_code& error) {
    constexpr int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    std::string step;
    descriptor here;
    for (std::size_t begin = 0;;) {
        const std::size_t end = path.find('/', begin);
        const bool last = end == std::string::npos;
        step = path.empty() ? "." : path.substr(begin, end - begin);
        descriptor next(
            openat(here ? here.get() : top, step.c_str(), flags | (last ? O_RDONLY : O_PATH)));
        if (!next) error = last_error();
        if (!next || last) return next;
        here = std::move(next);
        begin = end + 1;
    }
}

}  // namespace

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

descriptor::~descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

kind kind_of(mode_t mode) noexcept {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return kind::file;
    case S_IFDIR:
        return kind::directory;
    case S_IFLNK:
        return kind::link;
    case S_IFIFO:
        return kind::fifo;
    case S_IFSOCK:
        return kind::socket;
    case S_IFCHR:
        return kind::character_device;
    case S_IFBLK:
        return kind::block_device;
    default:
        return kind::unread;
    }
}

directory directory::open(int top, std::string path, std::error_code& error) {
    directory opened;
    descriptor fd = open_below(top, path, error);
    if (!fd) return opened;
    opened.stream_.reset(fdopendir(fd.get()));
    if (!opened.stream_) {
        error = last_error();
        return opened;
    }
    fd.release();  // The stream closes it.
    opened.path_ = std::move(path);
    return opened;
}

std::vector<listed> directory::list(std::error_code& error) {
    std::vector<listed> entries;
    for (;;) {
        errno = 0;  // The only way to tell the end from an error.
        const dirent* const entry = readdir(stream_.get());
        if (entry == nullptr) {
            if (errno != 0) error = last_error();
            return entries;
        }
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;

        kind what = kind_of(static_cast<mode_t>(DTTOIF(entry->d_type)));
        if (entry->d_type == DT_UNKNOWN) {  // Some file systems do not say.
            struct stat status;
            const bool known = fstatat(fd(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
            // Taken for a file, a name that has vanished is reported when it is opened.
            what = known ? kind_of(status.st_mode) : kind::file;
        }
        entries.push_back({std::string(name), what});
    }
}

std::string directory::path_of(std::string_view name) const {
    std::string path;
    path.reserve(path_.size() + 1 + name.size());
    if (!path_.empty()) path.append(path_).append(1, '/');
    return path.append(name);
}

}  // namespace treehash
