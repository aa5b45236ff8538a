#include <crew/crew.hpp>

#include <weft/exceptions.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace crew {

namespace {

outcome perform(const job& j) {
    try {
        return {j.ticket, ending::done, weft::with_timeout(j.limit, j.work)};
    } catch (const weft::timed_out&) {
        return {j.ticket, ending::too_late, {}};
    } catch (const std::exception& e) {
        return {j.ticket, ending::failed, e.what()};
    }
}

}  // namespace

crew::crew(unsigned workers, std::size_t queue)
    : jobs_(queue), outcomes_(queue), serving_(workers) {
    for (unsigned i = 0; i != workers; ++i) workers_.go([this] { serve(); });
}

void crew::submit(job work) { jobs_.send(std::move(work)); }

void crew::close() { jobs_.close(); }

void crew::serve() {
    struct leaving {
        crew& whole;
        ~leaving() {
            if (--whole.serving_ == 0) whole.outcomes_.close();
        }
    } last_one_closes{*this};
    while (const std::optional<job> next = jobs_.recv()) outcomes_.send(perform(*next));
}

}  // namespace crew
