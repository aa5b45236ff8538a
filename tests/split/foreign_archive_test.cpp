// The same as foreign_test.cpp, with the archive.
#include "split/segments.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>

#include "split/foreign.hpp"

namespace weft::test {
namespace {
#define FOREIGN foreign_static
#define FOREIGN_SUITE Archive
#include "split/foreign_test.inc"
}  // namespace
}  // namespace weft::test
