// Jobs with time limits, done by a bounded number of workers.
//
//     submit  -->  jobs (bounded)  -->  workers  -->  outcomes (bounded)  -->  their reader
#pragma once

#include <weft/chan.hpp>
#include <weft/scope.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace crew {

struct job {
    std::size_t ticket = 0;  // The caller's; it comes back in the outcome.
    std::chrono::milliseconds limit{};
    std::function<std::string()> work;  // Ended at its next cancellation point past the limit.
};

enum class ending { done, failed, too_late };

struct outcome {
    std::size_t ticket = 0;
    ending how = ending::done;
    std::string text;  // The work returned it, or threw a std::exception that says it.
};

class crew {
public:
    /// At least one worker. `queue` is how many jobs may wait, and how many outcomes.
    crew(unsigned workers, std::size_t queue);

    /// Waits for a place in the queue.
    void submit(job work);

    /// No further jobs. The outcomes close after that of the last one accepted.
    void close();

    /// Somebody has to read them: workers with an outcome that has no place wait, and then so does submit().
    [[nodiscard]] weft::receiver<outcome> outcomes() const { return outcomes_; }

private:
    void serve();

    weft::chan<job> jobs_;
    weft::chan<outcome> outcomes_;
    std::atomic<unsigned> serving_;
    weft::scope workers_;  // Last: its destructor waits for the workers, which use the others.
};

}  // namespace crew
