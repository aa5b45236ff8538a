// Under a simulated schedule, with virtual time: a limit of an hour takes no time at all, and a seed that fails fails again.
#include <crew/crew.hpp>

#include <weft/go.hpp>
#include <weft/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

void check(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

void gives_each_job_one_outcome() {
    crew::crew workers(3, 2);
    weft::scope submitting;
    submitting.go([&] {
        for (std::size_t i = 0; i != 20; ++i)
            workers.submit({i, 1h, [i] {
                                weft::sleep_for(std::chrono::minutes(i % 7));
                                return std::to_string(i * i);
                            }});
        workers.close();
    });
    std::vector<std::size_t> tickets;
    for (const crew::outcome& o : workers.outcomes()) {
        check(o.how == crew::ending::done && o.text == std::to_string(o.ticket * o.ticket),
              "an outcome is that of its job");
        tickets.push_back(o.ticket);
    }
    submitting.join();
    std::sort(tickets.begin(), tickets.end());
    check(tickets.size() == 20 && tickets.front() == 0 && tickets.back() == 19 &&
              std::adjacent_find(tickets.begin(), tickets.end()) == tickets.end(),
          "no job is lost and none is done twice");
}

void tells_the_endings_apart() {
    crew::crew workers(1, 4);
    workers.submit({1, 59min, [] { return weft::sleep_for(1h), std::string("woken"); }});
    workers.submit({2, 61min, [] { return weft::sleep_for(1h), std::string("woken"); }});
    workers.submit({3, 1h, []() -> std::string { throw std::runtime_error("no such thing"); }});
    workers.close();
    const auto outcomes = workers.outcomes();
    check(outcomes.recv()->how == crew::ending::too_late, "an hour is longer than 59 minutes");
    check(outcomes.recv()->text == "woken", "and shorter than 61");
    const auto failed = outcomes.recv();
    check(failed->how == crew::ending::failed && failed->text == "no such thing",
          "an exception is an outcome");
    check(!outcomes.recv(), "the outcomes are closed");
}

}  // namespace

int main() {
    try {
        weft::testing::explore(100, gives_each_job_one_outcome);
        weft::testing::explore(100, tells_the_endings_apart);
    } catch (const weft::testing::failure& e) {
        std::fprintf(stderr, "crew_test: seed %llu: %s\n",
                     static_cast<unsigned long long>(e.seed()), e.what());
        try {
            std::rethrow_if_nested(e);
        } catch (const std::exception& cause) {
            std::fprintf(stderr, "  %s\n", cause.what());
        }
        return 1;
    }
}
