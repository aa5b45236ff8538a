#include "request.hpp"

#include "number.hpp"

#include <weft/go.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace jobserver {

namespace {

using words = std::vector<std::string>;

constexpr long long most_milliseconds = 86'400'000;  // A day.

// checkpoint() is where a computation may be ended, and where others get their turn.
std::string collatz(long long n) {
    int steps = 0;
    for (; n != 1; ++steps) {
        weft::checkpoint();
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    }
    return std::to_string(steps);
}

std::string primes(long long below) {
    std::vector<bool> composite(static_cast<std::size_t>(below));
    int found = 0;
    for (long long n = 2; n < below; ++n) {
        weft::checkpoint();
        if (composite[static_cast<std::size_t>(n)]) continue;
        ++found;
        for (long long m = n * n; m < below; m += n) composite[static_cast<std::size_t>(m)] = true;
    }
    return std::to_string(found);
}

std::string sleep(long long milliseconds) {
    weft::sleep_for(std::chrono::milliseconds(milliseconds));
    return "slept";
}

long long argument(const words& w, long long most) {
    if (w.size() != 2) throw std::invalid_argument(w[0] + " wants one number");
    const auto value = number(w[1], 1, most);
    if (!value)
        throw std::invalid_argument(w[0] + " wants a number from 1 to " + std::to_string(most));
    return *value;
}

std::string perform(const words& w) {
    if (w[0] == "collatz") return collatz(argument(w, 1'000'000'000));
    if (w[0] == "primes") return primes(argument(w, 10'000'000));
    if (w[0] == "sleep") return sleep(argument(w, most_milliseconds));
    throw std::invalid_argument("no such job: " + w[0]);
}

crew::job parse(const lines::line& line, std::chrono::milliseconds limit) {
    if (!line.whole)
        throw std::invalid_argument("the line has more than " + std::to_string(line.text.size()) +
                                    " bytes");
    std::istringstream in(line.text);
    words w;
    for (std::string word; in >> word;) w.push_back(word);
    while (w.size() >= 2 && w[0] == "within") {
        limit = std::chrono::milliseconds(argument({w[0], w[1]}, most_milliseconds));
        w.erase(w.begin(), w.begin() + 2);
    }
    if (w.empty()) throw std::invalid_argument("which job?");
    return {line.number, limit, [w] { return perform(w); }};
}

}  // namespace

crew::job request(const lines::line& line, std::chrono::milliseconds limit) {
    try {
        return parse(line, limit);
    } catch (const std::invalid_argument& e) {
        return {line.number, limit, [why = std::string(e.what())]() -> std::string {
                    throw std::invalid_argument(why);
                }};
    }
}

}  // namespace jobserver
