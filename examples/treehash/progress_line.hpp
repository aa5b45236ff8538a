// One line on the terminal that says how far the walk is.
#pragma once

#include "visitor.hpp"

#include <weft/go.hpp>

namespace treehash {

/// Shows `shown` on stderr ten times a second for as long as it lives, then leaves an empty line.
class progress_line {
public:
    explicit progress_line(const progress& shown);
    ~progress_line();

private:
    weft::join_handle<void> updates_;
};

}  // namespace treehash
