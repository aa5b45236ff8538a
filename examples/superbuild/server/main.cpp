// jobserver: a job from each line of input, done by a crew of coroutines, each within its time limit.
//
//     stdin  -->  lines::read  -->  request()  -->  crew  -->  stdout
//
// Each arrow is a channel with bounds, so input that comes faster than jobs are done waits outside the program.
#include "command_line.hpp"
#include "request.hpp"

#include <crew/crew.hpp>
#include <lines/lines.hpp>

#include <weft/runtime.hpp>
#include <weft/scope.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <unistd.h>

namespace {

std::string shown(const crew::outcome& o) {
    const std::string number = std::to_string(o.ticket);
    switch (o.how) {
    case crew::ending::done:
        return number + " done " + o.text + "\n";
    case crew::ending::failed:
        return number + " error " + o.text + "\n";
    case crew::ending::too_late:
        break;
    }
    return number + " late\n";
}

void serve(const jobserver::command_line& settings) {
    crew::crew workers(settings.workers, settings.queue);
    weft::scope reading;
    reading.go([&, input = lines::read(reading, STDIN_FILENO)] {
        struct closing {
            crew::crew& workers;
            ~closing() { workers.close(); }
        } also_when_reading_fails{workers};
        for (const lines::line& l : input) workers.submit(jobserver::request(l, settings.limit));
    });
    for (const crew::outcome& o : workers.outcomes()) lines::write(STDOUT_FILENO, shown(o));
    reading.join();
}

}  // namespace

int main(int argc, char** argv) {
    jobserver::command_line settings;
    std::string complaint;
    if (!jobserver::parse(argc, argv, settings, complaint)) {
        std::fprintf(stderr, "jobserver: %s\n%s", complaint.c_str(), jobserver::usage);
        return 2;
    }
    if (settings.help) return std::fputs(jobserver::usage, stdout) < 0 ? 1 : 0;

    std::signal(SIGPIPE, SIG_IGN);  // A reader that went away is an error of write().
    int status = 0;
    const int ended = weft::run([&] {
        try {
            serve(settings);
        } catch (const std::exception& e) {
            std::fprintf(stderr, "jobserver: %s\n", e.what());
            status = 1;
        }
    });
    return ended != 0 ? ended : status;
}
