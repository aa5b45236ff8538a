// A crawler over a web of pages that is made up: go_port.go, line by line. What differs:
//
//   defer          is a destructor: of a lock_guard, or of the small `defer` below.
//   error          is a text, empty when there is none. (Within one coroutine it would be an exception.)
//   captures       are by value where the other side may be gone first: the last line closes the channel,
//                  and with that crawl_all() may return.
//   end of main    Go abandons the goroutines that are left. weft cancels them and waits for them: the one
//                  that would sleep for an hour ends at once, and its destructors run.
#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 1s;

constexpr auto timed_out = "no answer";
constexpr auto not_found = "not found";

struct page {
    std::string title;
    std::vector<std::string> links;
    std::chrono::milliseconds delay{};
};

const std::map<std::string, page> web = {
    {"/", {"start", {"/weaving", "/looms", "/archive"}}},
    {"/weaving", {"weaving", {"/", "/looms", "/missing"}}},
    {"/looms", {"looms", {"/weaving", "/shuttles"}}},
    {"/shuttles", {"shuttles", {"/looms"}, 1ms}},
    {"/archive", {"archive", {}, 1h}},
};

struct answer {
    page found;
    std::string error;
};

template <class F>
struct defer {
    F f;
    explicit defer(F what) : f(std::move(what)) {}
    ~defer() { f(); }
    defer(const defer&) = delete;
    defer& operator=(const defer&) = delete;
};

// Takes as long as the server does.
answer fetch(const std::string& url) {
    const auto found = web.find(url);
    if (found == web.end()) return {{}, not_found};
    weft::sleep_for(found->second.delay);
    return {found->second, {}};
}

// Gives up after a while; whatever comes later is dropped.
answer fetch_patiently(const std::string& url) {
    weft::chan<answer> fetched(1);
    weft::go([=]() mutable { fetched.send(fetch(url)); });
    answer a;
    weft::select(weft::on_recv(fetched, [&](auto got) { a = std::move(got).value(); }),
                 weft::on_recv(weft::after(patience), [&](auto) { a.error = timed_out; }));
    return a;
}

struct crawler {
    weft::mutex mu;
    std::map<std::string, bool> seen;
    weft::wait_group running;
    weft::chan<std::string> lines;

    // Crawls url in a coroutine of its own, unless somebody does so already.
    void start(const std::string& url) {
        const std::lock_guard guard(mu);
        if (seen[url]) return;
        seen[url] = true;
        running.add(1);
        weft::go([this, url] {
            const defer done([this] { running.done(); });
            crawl(url);
        });
    }

    void crawl(const std::string& url) {
        const answer a = fetch_patiently(url);
        if (!a.error.empty()) {
            lines.send(line(url, a.error));
            return;
        }
        lines.send(
            line(url, a.found.title + ", " + std::to_string(a.found.links.size()) + " links"));
        for (const std::string& link : a.found.links) start(link);
    }

    static std::string line(std::string url, const std::string& text) {
        url.resize(std::max<std::size_t>(url.size(), 10), ' ');
        return url + ' ' + text;
    }
};

void crawl_all() {
    crawler c;
    c.start("/");
    weft::go([&running = c.running, lines = c.lines]() mutable {
        running.wait();
        lines.close();
    });

    std::vector<std::string> lines;
    for (const std::string& line : c.lines) lines.push_back(line);
    std::ranges::sort(lines);
    for (const std::string& line : lines) std::printf("%s\n", line.c_str());
}

}  // namespace

int main() {
    return weft::run([] { crawl_all(); });
}
