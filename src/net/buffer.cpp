#include <weft/net.hpp>

#include "io/loan.hpp"

#include <stdexcept>

namespace weft::net {

static_assert(buffer::capacity == detail::loan_size);

buffer& buffer::operator=(buffer&& other) noexcept {
    if (this == &other) return *this;
    clear();
    memory_ = std::exchange(other.memory_, nullptr);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
}

void buffer::consume(std::size_t n) {
    if (n > size()) throw std::logic_error("weft: net::buffer: consume() of more than size()");
    begin_ += n;
    if (empty()) clear();
}

void buffer::clear() noexcept {
    if (memory_ != nullptr) detail::give_loan(memory_);
    memory_ = nullptr;
    begin_ = end_ = 0;
}

}  // namespace weft::net
