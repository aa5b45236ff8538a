#include "tally.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace treehash {

void tally::add(std::string_view path, kind what, const content& held) {
    // The length goes first: no name can end in what looks like the fields behind it.
    hasher_.restart();
    hasher_.add(std::uint64_t{path.size()});
    hasher_.add(path);
    hasher_.add(std::uint64_t{static_cast<unsigned char>(what)});
    hasher_.add(held.size);
    hasher_.add(held.hash);
    records_.push_back(hasher_.result());
    if (what == kind::file) {
        ++files_;
        bytes_ += held.size;
    }
}

void tally::add_problem(std::string_view path, std::error_code reason) {
    problems_.push_back({std::string(path), reason});
}

void tally::add(tally&& other) {
    records_.insert(records_.end(), other.records_.begin(), other.records_.end());
    std::ranges::move(other.problems_, std::back_inserter(problems_));
    files_ += other.files_;
    bytes_ += other.bytes_;
}

digest tally::tree_digest() {
    std::ranges::sort(records_);
    hasher_.restart();
    for (const digest& record : records_) hasher_.add(record);
    return hasher_.result();
}

const std::vector<problem>& tally::sorted_problems() {
    std::ranges::sort(problems_, [](const problem& a, const problem& b) {
        return std::tie(a.path, a.reason) < std::tie(b.path, b.reason);
    });
    return problems_;
}

}  // namespace treehash
