// Values that tell what becomes of them.
#pragma once

#include <atomic>
#include <functional>
#include <stdexcept>
#include <utility>

namespace weft::test {

/// Counts how many there are, so that none is lost and none destroyed twice. Not trivial, moves without throwing.
class counted {
public:
    explicit counted(int v = 0) noexcept : value(v) { ++alive; }
    counted(counted&& other) noexcept : value(std::exchange(other.value, moved_from)) { ++alive; }
    counted& operator=(counted&& other) noexcept {
        value = std::exchange(other.value, moved_from);
        return *this;
    }
    ~counted() { --alive; }

    static constexpr int moved_from = -1;
    static inline std::atomic<int> alive{0};
    int value;
};

struct move_failed : std::runtime_error {
    move_failed() : std::runtime_error("a move failed") {}
};

/// Throws when it is moved while `fuse` is 1, and counts that down; else as `counted`.
class explosive {
public:
    explicit explosive(int v = 0) : value(v) { ++alive; }
    explosive(explosive&& other) : value(other.value) {
        burn();
        other.value = moved_from;
        ++alive;
    }
    explosive& operator=(explosive&& other) {
        burn();
        value = std::exchange(other.value, moved_from);
        return *this;
    }
    ~explosive() { --alive; }

    static constexpr int moved_from = -1;
    static inline std::atomic<int> alive{0};
    static inline std::atomic<int> fuse{0};  // 0: does not burn.
    int value;

private:
    static void burn() {
        if (fuse.load() != 0 && fuse.fetch_sub(1) == 1) throw move_failed();
    }
};

/// Does what it is told when it is moved first.
class scripted {
public:
    explicit scripted(int v, std::function<void()> at_move = nullptr)
        : value(v), at_move_(std::move(at_move)) {}
    scripted(scripted&& other) : value(other.value) {
        if (const auto act = std::exchange(other.at_move_, nullptr)) act();
        other.value = moved_from;
    }
    scripted& operator=(scripted&&) = delete;

    static constexpr int moved_from = -1;
    int value;

private:
    std::function<void()> at_move_;
};

}  // namespace weft::test
