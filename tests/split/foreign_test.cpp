// Code that was compiled without split stacks: called, calling back, throwing, and thrown through.
#include "split/segments.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>

#define FOREIGN_SHARED
#include "split/foreign.hpp"

namespace weft::test {
namespace {
#define FOREIGN foreign_shared
#define FOREIGN_SUITE SharedLibrary
#include "split/foreign_test.inc"
}  // namespace
}  // namespace weft::test
