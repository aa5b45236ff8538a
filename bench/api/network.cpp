// What does an echo over TCP cost, beside a loop over epoll by hand? And how late is one beside coroutines that compute?
//
//     weft_network echo weft|epoll [CONNECTIONS] [SECONDS] [PROCESSORS]
//     weft_network ping [HOGS] [SECONDS] [PROCESSORS]
//
// The server is a process of its own, on the first CPU unless it has several processors; the load comes from the last one. Messages have 64 B, each connection
// has one under way. The CPU time is that of the server's threads as the scheduler of the system counts it.
#include "measure.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using bench::clock;

constexpr std::size_t message = 64;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}

void pin(unsigned cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof(one), &one);
}

void no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// The servers. Each writes its port to `out`, and runs until it is killed. --------------------------------

void tell(int out, std::uint16_t port) {
    if (::write(out, &port, sizeof(port)) != static_cast<ssize_t>(sizeof(port))) fail("write");
}

void serve_by_weft(int out, unsigned processors, unsigned hogs) {
    weft::options how;
    how.processors = processors;
    weft::run(
        [&] {
            for (unsigned i = 0; i != hogs; ++i) {
                weft::go([] {
                    volatile std::uint64_t x = 0;
                    for (;;) {
                        for (int j = 0; j != 1000; ++j) x = x * 31 + 7;
                        weft::checkpoint();
                    }
                });
            }
            weft::net::listener listener = weft::net::listen("127.0.0.1:0");
            tell(out, listener.local().port());
            for (;;) {
                weft::go([c = listener.accept()]() mutable {
                    std::array<std::byte, 4096> text;
                    std::error_code ec;
                    while (const std::size_t n = c.read(text, ec)) {
                        c.write_all(std::span<const std::byte>(text).first(n), ec);
                        if (ec) return;
                    }
                });
            }
        },
        how);
}

void serve_by_epoll(int out) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail("bind");
    if (::listen(listener, 4096) != 0) fail("listen");
    socklen_t size = sizeof(address);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    tell(out, ntohs(address.sin_port));
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    std::array<epoll_event, 512> ready;
    std::array<std::byte, 4096> text;
    for (;;) {
        const int n = ::epoll_wait(poller, ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < n; ++i) {
            const int fd = ready[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int c = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                no_delay(c);
                event.data.fd = c;
                ::epoll_ctl(poller, EPOLL_CTL_ADD, c, &event);
                continue;
            }
            const ssize_t got = ::read(fd, text.data(), text.size());
            if (got <= 0 || ::write(fd, text.data(), static_cast<std::size_t>(got)) < 0)
                ::close(fd);
        }
    }
}

// The load. ---------------------------------------------------------------------------------------------

int connect_to(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail("connect");
    no_delay(fd);
    return fd;
}

// CPU time of all threads, in nanoseconds.
std::uint64_t cpu_of(pid_t process) {
    std::uint64_t sum = 0;
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
        std::uint64_t ns = 0;
        std::ifstream(entry.path() / "schedstat") >> ns;
        sum += ns;
    }
    return sum;
}

void report(std::vector<std::uint32_t>& times_us) {
    std::sort(times_us.begin(), times_us.end());
    if (times_us.empty()) return;
    bench::result("p50", times_us[times_us.size() / 2], "us");
    bench::result("p99", times_us[times_us.size() * 99 / 100], "us");
}

void load(pid_t server, std::uint16_t port, std::size_t connections,
          std::chrono::duration<double> time) {
    struct one {
        int fd = -1;
        std::size_t got = 0;
        clock::time_point sent;
    };
    std::vector<one> all(connections);
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    const std::string text(message, 'x');
    const auto send = [&](one& c) {
        c.sent = clock::now();
        if (::write(c.fd, text.data(), message) != static_cast<ssize_t>(message)) fail("write");
    };
    for (std::size_t i = 0; i != connections; ++i) {
        all[i].fd = connect_to(port);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    for (one& c : all) send(c);
    const auto warm = clock::now() + 300ms;
    clock::time_point begin;
    clock::time_point end;
    std::uint64_t cpu = 0;
    std::vector<std::uint32_t> times;
    std::array<epoll_event, 512> ready;
    std::array<char, 4096> in;
    for (;;) {
        const int n = ::epoll_wait(poller, ready.data(), static_cast<int>(ready.size()), 5000);
        if (n <= 0) fail("stalled");
        for (int i = 0; i < n; ++i) {
            one& c = all[ready[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = ::read(c.fd, in.data(), in.size());
            if (got <= 0) fail("read");
            c.got += static_cast<std::size_t>(got);
            if (c.got < message) continue;
            c.got = 0;
            if (cpu != 0) {
                times.push_back(static_cast<std::uint32_t>(
                    std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - c.sent)
                        .count()));
            }
            send(c);
        }
        const auto now = clock::now();
        if (cpu == 0 && now >= warm) {
            cpu = cpu_of(server);
            begin = now;
            end = now + std::chrono::duration_cast<clock::duration>(time);
        } else if (cpu != 0 && now >= end) {
            const auto count = static_cast<double>(times.size());
            bench::result("CPU a request", static_cast<double>(cpu_of(server) - cpu) / count, "ns");
            bench::result("requests",
                          count / std::chrono::duration<double>(now - begin).count() / 1e3, "k/s");
            report(times);
            return;
        }
    }
}

void ping(std::uint16_t port, std::chrono::duration<double> time) {
    const int fd = connect_to(port);
    std::vector<std::uint32_t> times;
    char text[message] = {};
    const auto end = clock::now() + time;
    while (clock::now() < end) {
        std::this_thread::sleep_for(1ms);
        const auto before = clock::now();
        if (::write(fd, text, 1) != 1 || ::read(fd, text, sizeof(text)) != 1) fail("ping");
        times.push_back(static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - before).count()));
    }
    report(times);
}

void with_server(const std::function<void(int)>& server,
                 const std::function<void(pid_t, std::uint16_t)>& client) {
    int port_pipe[2];
    if (::pipe(port_pipe) != 0) fail("pipe");
    const pid_t child = ::fork();
    if (child == 0) {
        server(port_pipe[1]);
        std::_Exit(0);
    }
    std::uint16_t port = 0;
    if (::read(port_pipe[0], &port, sizeof(port)) != static_cast<ssize_t>(sizeof(port)))
        fail("read");
    client(child, port);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

}  // namespace

int main(int count, char** given) {
    const auto argument = [&](int i, double otherwise) {
        return i < count ? std::atof(given[i]) : otherwise;
    };
    const std::string_view mode = count > 1 ? given[1] : "";
    const unsigned cpus = std::max(std::thread::hardware_concurrency(), 1u);
    if (mode == "echo" && count > 2) {
        const bool by_weft = std::string_view(given[2]) == "weft";
        const auto connections = static_cast<std::size_t>(argument(3, 64));
        const auto processors = static_cast<unsigned>(argument(5, 1));
        with_server(
            [&](int out) {
                if (processors == 1) pin(0);
                by_weft ? serve_by_weft(out, processors, 0) : serve_by_epoll(out);
            },
            [&](pid_t server, std::uint16_t port) {
                if (processors == 1) pin(cpus - 1);
                load(server, port, connections, std::chrono::duration<double>(argument(4, 2)));
            });
        return 0;
    }
    if (mode == "ping") {
        const auto hogs = static_cast<unsigned>(argument(2, 4));
        const auto processors = static_cast<unsigned>(argument(4, 2));
        with_server([&](int out) { serve_by_weft(out, processors, hogs); },
                    [&](pid_t, std::uint16_t port) {
                        ping(port, std::chrono::duration<double>(argument(3, 3)));
                    });
        return 0;
    }
    std::fputs("usage: weft_network echo weft|epoll [CONNECTIONS] [SECONDS] [PROCESSORS]\n"
               "       weft_network ping [HOGS] [SECONDS] [PROCESSORS]\n",
               stderr);
    return 2;
}
