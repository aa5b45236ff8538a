// What travels through the channels of the property tests: values with a number, of each kind that channels treat in a
// way of its own.
#pragma once

#include <weft/weft.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>

namespace weft::test {

/// How many values of the counting kinds there are, moved from or not. Of a single thread.
inline int values_alive = 0;

/// Trivial, and too large to lie in the channel.
struct wide {
    std::int64_t number;
    std::int64_t rest[11];
};

/// Moves without throwing, but not by its bytes.
class counted_value {
public:
    explicit counted_value(std::int64_t n) noexcept : self_(this), number(n) { ++values_alive; }
    counted_value(counted_value&& other) noexcept : self_(this), number(other.number) {
        ++values_alive;
        other.number = 0;
    }
    counted_value& operator=(counted_value&& other) noexcept {
        number = std::exchange(other.number, 0);
        return *this;
    }
    ~counted_value() {
        // One that was moved by its bytes is not where it was made.
        if (self_ == this) --values_alive;
    }

private:
    const void* self_;

public:
    std::int64_t number;
};

struct move_failed {};

/// Its moves throw at random, and have no effect then.
class throwing_value {
public:
    explicit throwing_value(std::int64_t n) noexcept : number(n) { ++values_alive; }
    throwing_value(throwing_value&& other) : number(other.number) {
        if (one_in != 0 && random() % one_in == 0) throw move_failed();
        ++values_alive;
        other.number = 0;
    }
    throwing_value& operator=(throwing_value&& other) {
        if (one_in != 0 && random() % one_in == 0) throw move_failed();
        number = std::exchange(other.number, 0);
        return *this;
    }
    ~throwing_value() { --values_alive; }

    std::int64_t number;

    static inline std::minstd_rand random;
    static inline unsigned one_in = 0;  // 0: never.
};

template <class T>
struct payload {
    static T make(std::int64_t n) { return T(n); }
    static std::int64_t number(const T& value) { return value.number; }
};
template <>
struct payload<std::int64_t> {
    static std::int64_t make(std::int64_t n) { return n; }
    static std::int64_t number(std::int64_t value) { return value; }
};
template <>
struct payload<wide> {
    static wide make(std::int64_t n) { return {n, {}}; }
    static std::int64_t number(const wide& value) { return value.number; }
};
template <>
struct payload<std::string> {
    static std::string make(std::int64_t n) { return std::string(40, '0') + std::to_string(n); }
    static std::int64_t number(const std::string& value) {
        return value.empty() ? 0 : std::stoll(value);
    }
};
template <>
struct payload<std::unique_ptr<std::int64_t>> {
    static std::unique_ptr<std::int64_t> make(std::int64_t n) {
        return std::make_unique<std::int64_t>(n);
    }
    static std::int64_t number(const std::unique_ptr<std::int64_t>& value) {
        return value == nullptr ? 0 : *value;
    }
};
template <>
struct payload<weft::clock::time_point> {
    static std::int64_t number(weft::clock::time_point value) {
        return value.time_since_epoch().count();
    }
};

}  // namespace weft::test
