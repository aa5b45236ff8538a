// A line of input as a job.
#pragma once

#include <crew/crew.hpp>
#include <lines/lines.hpp>

#include <chrono>

namespace jobserver {

/// A line that makes no sense gives a job that fails and says why.
crew::job request(const lines::line& line, std::chrono::milliseconds limit);

}  // namespace jobserver
