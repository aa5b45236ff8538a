// worker_pool: workers that take jobs from one channel and send what came of them to another, and the two
// ways to stop them.
//
//     submit  -->  jobs (bounded)  -->  workers  -->  results (bounded)  -->  who reads them
//
// Draining: the jobs are closed, every job that was accepted is done, and the results close behind the
// last one. Cancelling: each worker ends with the job at hand, whose result still comes, and what nobody
// began is handed back. Either way no job is lost and none is done twice.
#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

/// Job: callable without arguments; its result is what it returns.
template <class Job, class Result = std::invoke_result_t<Job&>>
class worker_pool {
public:
    /// At least one worker. `queue` is how many jobs may wait, and how many results.
    worker_pool(unsigned workers, std::size_t queue)
        : jobs_(queue), results_(queue), working_(workers) {
        for (unsigned i = 0; i != workers; ++i) scope_.go([this] { work(); });
    }

    /// As cancel(); jobs and results that nobody has asked for are lost.
    ~worker_pool() {
        const weft::no_cancel finishing;
        scope_.cancel();
        while (results_.recv()) {}  // Workers that have a result to send end when it is out.
    }

    /// Waits for a place in the queue. channel_closed once the pool was drained or cancelled.
    void submit(Job job) { jobs_.send(std::move(job)); }

    /// Somebody has to read them: workers whose results have no place wait, and then so does submit().
    weft::receiver<Result> results() const { return results_; }

    /// No further jobs. The results close when those accepted are done.
    void drain() { jobs_.close(); }

    /// No further jobs either, and those that nobody began come back; also after drain(). The results close when those begun
    /// are done; that is not waited for.
    std::vector<Job> cancel() {
        if (!jobs_.closed()) jobs_.close();
        scope_.cancel();  // Who waits for a job, or comes back for one, ends.
        std::vector<Job> left;
        for (Job& job : jobs_) left.push_back(std::move(job));
        return left;
    }

private:
    void work() {
        const leaving last_one_closes{*this};
        while (std::optional<Job> job = jobs_.recv()) {
            const weft::no_cancel begun;  // A job that was taken is done, and its result is sent.
            results_.send((*job)());
        }
    }

    // Also when a worker ends by `cancelled`, or by an exception of its job.
    struct leaving {
        worker_pool& pool;
        ~leaving() {
            if (--pool.working_ == 0) pool.results_.close();
        }
    };

    weft::chan<Job> jobs_;
    weft::chan<Result> results_;
    std::atomic<unsigned> working_;
    weft::scope scope_;  // Last: its destructor waits for the workers, which use the others.
};

/// How many steps of the Collatz sequence it takes from n to 1.
int collatz(long long n) {
    int steps = 0;
    for (; n != 1; ++steps) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    return steps;
}

using job = std::function<int()>;

job job_number(int n) {
    return [n] { return collatz(n); };
}

void drained() {
    constexpr int jobs = 1000;
    worker_pool<job> pool(4, 16);
    weft::scope submitting;
    submitting.go([&] {
        for (int n = 1; n <= jobs; ++n) pool.submit(job_number(n));
        pool.drain();
    });
    int done = 0;
    long long steps = 0;
    for (const int result : pool.results()) {
        ++done;
        steps += result;
    }
    std::printf("drained: %d done, %lld steps\n", done, steps);
}

void cancelled() {
    worker_pool<job> pool(4, 16);
    int submitted = 0;
    auto submitting = weft::spawn([&] {
        try {
            for (int n = 1;; ++n) {
                pool.submit(job_number(n));
                submitted = n;
            }
        } catch (const weft::channel_closed&) {  // The one that was refused does not count.
        }
    });
    auto results = pool.results();
    int done = 0;
    while (done != 100 && results.recv()) ++done;
    const std::size_t left = pool.cancel().size();
    submitting.join();
    while (results.recv()) ++done;
    const bool complete = done + static_cast<int>(left) == submitted;
    std::printf("cancelled: %s\n", complete ? "all done or handed back" : "jobs are missing");
}

}  // namespace

int main() {
    return weft::run([] {
        drained();
        cancelled();
    });
}
