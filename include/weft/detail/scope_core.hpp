// Scopes and join_sets have this in common.
#pragma once

#include <weft/version.hpp>

#include <cstddef>

namespace weft {

struct scope_options {
    std::size_t limit = 0;  // At most that many children at once; 0: any number.
};

namespace detail {

struct scope_state;

/// The untyped part of a scope. See src/runtime/scope.cpp.
class scope_core {
public:
    explicit scope_core(std::size_t limit);
    ~scope_core();
    scope_core(const scope_core&) = delete;
    scope_core& operator=(const scope_core&) = delete;

    void join();
    void cancel() noexcept;

private:
    friend struct scope_state;
    scope_state* state_;
};

}  // namespace detail

}  // namespace weft
