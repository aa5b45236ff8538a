// A coroutine that waits for the network may have the only pointer to an object: collections don't free it.
//
// The collector answers itself for processors whose machines sleep in the poller, and a machine that an event has woken answers
// before it runs a coroutine.
#include "gc/held.hpp"
#include "sched/scheduler.hpp"
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"

#include <weft/gc.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class GcIo : public with_runtime {};
WEFT_TEST_PROCESSORS(GcIo);

// All processors are idle, and the keeper has the poller.
bool only_the_poller_is_watched() {
    const std::lock_guard hold(detail::sched.idle_lock);
    return detail::sched.idle_count.load() == detail::sched.active_count.load() &&
           detail::sched.io_taken.load();
}

// A coroutine holds an object while wait() waits. Collections come from a coroutine, and from a thread while nothing runs at all. Then
// end() ends the wait.
template <class Wait, class End>
void expect_held(Wait wait, End end) {
    gc::weak<thing> w;
    std::atomic<bool> waits{false};
    auto holder = weft::spawn([&] {
        thing* volatile held = nullptr;
        w = hold_in([&](thing* t) { held = t; });
        overwrite_stack();
        waits = true;
        wait();
        EXPECT_EQ(held->value, 42);
    });
    wait_until([&] { return waits.load(); });
    for (int i = 0; i != 3; ++i) {
        collect_twice();
        EXPECT_TRUE(is_there(w));
    }
    chan<void> collected(1);
    std::thread outside([&] {
        wait_until([] { return only_the_poller_is_watched(); });
        for (int i = 0; i != 3; ++i) gc::collect();
        static_cast<void>(collected.try_send());
    });
    static_cast<void>(collected.recv());
    outside.join();
    EXPECT_TRUE(is_there(w));
    end();
    holder.join();
}

TEST_P(GcIo, AReaderThatWaits) {
    run([] {
        for (conn_pair& p : both_kinds()) {
            char byte = 0;
            expect_held([&] { EXPECT_EQ(p.a.read(std::span(&byte, 1)), 1u); },
                        [&] { p.b.write_all("x"); });
            p.a.set_deadline(in(1h));
            expect_held([&] { EXPECT_EQ(p.a.read(std::span(&byte, 1)), 1u); },
                        [&] { p.b.write_all("x"); });
        }
    });
}

TEST_P(GcIo, AWriterThatWaits) {
    run([] {
        for (conn_pair& p : both_kinds()) {
            const std::string much(std::size_t{8} << 20, 'x');
            expect_held([&] { p.a.write_all(much); },
                        [&] { EXPECT_EQ(read_text(p.b, much.size()).size(), much.size()); });
        }
    });
}

TEST_P(GcIo, AnAccepterThatWaitsAndOneBehindIt) {
    run([] {
        net::listener l = net::listen("127.0.0.1:0");
        auto first = weft::spawn([&] { static_cast<void>(l.accept()); });
        expect_held([&] { static_cast<void>(l.accept()); },
                    [&] {
                        const net::conn one = net::dial(l.local().to_string());
                        const net::conn other = net::dial(l.local().to_string());
                        first.join();
                    });
    });
}

TEST_P(GcIo, AReceiverOfADatagramAndAWaiterForADescriptor) {
    run([] {
        net::packet_conn here = net::listen_packet("127.0.0.1:0");
        net::packet_conn there = net::dial_packet(here.local().to_string());
        char text[10];
        expect_held([&] { EXPECT_EQ(here.recv_from(text).first, 1u); }, [&] { there.send("x"); });

        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        expect_held([&] { EXPECT_TRUE(net::wait_readable(ends[0])); },
                    [&] { EXPECT_EQ(::write(ends[1], "x", 1), 1); });
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

// The resolver's own objects are held by a root: what a std::function has captured is in memory of malloc.
TEST_P(GcIo, AWaiterForAName) {
    run([] {
        std::atomic<bool> asks{false};
        std::atomic<bool> answers{false};
        gc::weak<thing> captured;
        {
            gc::root<thing> root;
            captured = hold_in([&](thing* t) { root = gc::ptr<thing>(t); });
            net::set_resolver([&answers, root](std::string_view) {
                answers.wait(false);
                const gc::attach here;
                const auto made = gc::make<thing>(root->value);
                return std::vector{net::make_endpoint("127.0.0." + std::to_string(made->value))};
            });
        }
        gc::weak<thing> w;
        auto holder = weft::spawn([&] {
            thing* volatile held = nullptr;
            w = hold_in([&](thing* t) { held = t; });
            overwrite_stack();
            asks = true;
            EXPECT_EQ(net::resolve("some.name").at(0).host(), "127.0.0.42");
            EXPECT_EQ(held->value, 42);
        });
        wait_until([&] { return asks.load(); });
        for (int i = 0; i != 3; ++i) {
            collect_twice();
            EXPECT_TRUE(is_there(w));
            EXPECT_TRUE(is_there(captured));
        }
        answers = true;
        answers.notify_all();
        holder.join();
        net::set_resolver({});
    });
}

// What is read goes into an object that only the call itself points to.
TEST_P(GcIo, ABufferInTheCollectedHeap) {
    run([] {
        for (conn_pair& p : both_kinds()) {
            gc::weak<char> w;
            std::atomic<bool> waits{false};
            auto reader = weft::spawn([&] {
                auto text = gc::make_array<char>(1000);
                w = gc::weak<char>(gc::ptr<char>(&text[0]));
                const std::span<char> to(&text[0], 1000);
                text = nullptr;
                waits = true;
                return std::string(to.data(), p.a.read(to));
            });
            wait_until([&] { return waits.load(); });
            for (int i = 0; i != 3; ++i) {
                collect_twice();
                EXPECT_NE(w.lock(), nullptr);
            }
            p.b.write_all("hello");
            EXPECT_EQ(reader.join(), "hello");
        }
    });
}

struct session {
    explicit session(net::conn from) : c(std::move(from)) {}
    net::conn c;
};

[[gnu::noinline]] void open_session(net::conn c) {
    static_cast<void>(gc::make<session>(std::move(c)));
}

TEST_P(GcIo, ConnectionsAreClosedByTheDestructorsOfObjects) {
    run([] {
        std::vector<conn_pair> all(20);
        for (conn_pair& p : all) {
            p = unix_pair();
            open_session(std::move(p.a));
        }
        collect_twice();
        // Some may live on, because numbers on stacks look like pointers to them.
        int ended = 0;
        for (conn_pair& p : all) ended += p.b.wait_readable(clock::now()) ? 1 : 0;
        EXPECT_GT(ended, 10);
    });
}

// Grows a chain and has no other pointer to it than a local while it waits for the token.
void play(net::conn c, bool begins, int rounds) {
    thing* chain = nullptr;
    char token[4] = {'a', 'b', 'c', 'd'};
    if (begins) c.write_all(std::string_view(token, 4));
    for (int i = 0; i != rounds; ++i) {
        auto longer = gc::make<thing>(i);
        longer->next = gc::ptr<thing>(chain);
        chain = longer.get();
        longer = nullptr;
        for (std::size_t n = 0; n != 4;) n += c.read(std::span(token).subspan(n));
        int expected = i;
        for (const thing* t = chain; t != nullptr; t = t->next.get()) {
            ASSERT_EQ(t->value, expected--);
        }
        ASSERT_EQ(expected, i / 50 * 50 - 1);
        if (i % 50 == 49) chain = nullptr;
        if (!begins || i != rounds - 1) c.write_all(std::string_view(token, 4));
    }
}

TEST_P(GcIo, ChainsAreHeldByReadersWhileCollectionsFollowEachOther) {
    run([] {
        constexpr int pairs = 8;
        constexpr int rounds = thread_sanitizer ? 100 : 400;
        std::atomic<int> left{2 * pairs};
        scope all;
        const auto start = [&](net::conn c, bool begins) {
            all.go([&left, c = std::move(c), begins]() mutable {
                play(std::move(c), begins, rounds);
                --left;
            });
        };
        for (int i = 0; i != pairs; ++i) {
            conn_pair p = i % 2 == 0 ? unix_pair() : tcp_pair();
            start(std::move(p.a), true);
            start(std::move(p.b), false);
        }
        while (left != 0) gc::collect();
        all.join();
    });
}

// No timer is pending and nobody writes, so a collection that waited for the sleeping machine would never end.
TEST_P(GcIo, CollectionsEndWhileEveryProcessorIsIdleAndOneMachineSleepsInThePoller) {
    run([] {
        conn_pair p = tcp_pair();
        std::thread outside([&] {
            for (int i = 0; i != 20; ++i) {
                wait_until([] { return only_the_poller_is_watched(); });
                gc::collect();
            }
            EXPECT_EQ(::send(p.b.native_handle(), "x", 1, MSG_NOSIGNAL), 1);
        });
        char byte = 0;
        EXPECT_EQ(p.a.read(std::span(&byte, 1)), 1u);
        blocking([&] { outside.join(); });
    });
}

bool write_then_read(int fd, char byte) {
    char back = 0;
    return ::send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && ::recv(fd, &back, 1, 0) == 1 && back == byte;
}

// Threads that are not weft's write after pauses in which machines fall asleep, while another collects. So events and collections
// meet idle processors at all moments.
TEST_P(GcIo, EventsWakeProcessorsInTheMidstOfCollections) {
    run([] {
        constexpr int rounds = thread_sanitizer ? 200 : 1000;
        std::array<conn_pair, 2> pairs{unix_pair(), unix_pair()};
        std::atomic<int> left{static_cast<int>(pairs.size())};
        std::vector<std::thread> threads;
        for (const conn_pair& p : pairs) {
            threads.emplace_back([&left, fd = ::dup(const_cast<net::conn&>(p.b).native_handle())] {
                for (int i = 0; i != rounds; ++i) {
                    EXPECT_TRUE(write_then_read(fd, static_cast<char>(i)));
                    std::this_thread::sleep_for(std::chrono::microseconds(i * 37 % 300));
                }
                ::shutdown(fd, SHUT_RDWR);
                ::close(fd);
                --left;
            });
        }
        threads.emplace_back([&left] {
            while (left != 0) gc::collect();
        });
        scope all;
        for (conn_pair& p : pairs) {
            all.go([c = std::move(p.a)]() mutable {
                thing* chain = nullptr;
                char byte = 0;
                for (int i = 0; c.read(std::span(&byte, 1)) != 0; ++i) {
                    auto longer = gc::make<thing>(i);
                    longer->next = gc::ptr<thing>(chain);
                    chain = longer.get();
                    longer = nullptr;
                    int expected = i;
                    for (const thing* t = chain; t != nullptr; t = t->next.get()) {
                        EXPECT_EQ(t->value, expected--);
                    }
                    if (i % 50 == 49) chain = nullptr;
                    c.write_all(std::string_view(&byte, 1));
                }
            });
        }
        all.join();
        blocking([&] {
            for (std::thread& t : threads) t.join();
        });
    });
}

// Requests and answers are in the collected heap, and nothing but the calls of a connection points to them.
TEST_P(GcIo, EchoesGoOnWhileCollectionsFollowEachOther) {
    run([] {
        constexpr int clients = 8;
        constexpr int rounds = thread_sanitizer ? 30 : 150;
        net::listener l = net::listen("127.0.0.1:0");
        const std::string address = l.local().to_string();
        std::atomic<int> left{clients};
        scope all;
        all.go([&] {
            for (int i = 0; i != clients; ++i) {
                all.go([c = l.accept()]() mutable { echo(std::move(c)); });
            }
        });
        for (int i = 0; i != clients; ++i) {
            all.go([&left, &address, i] {
                net::conn c = net::dial(address);
                for (int n = 0; n != rounds; ++n) {
                    const std::size_t size = 1 + static_cast<std::size_t>(n * 131 + i) % 3000;
                    const char filler = static_cast<char>('a' + (n + i) % 26);
                    {
                        const auto request = gc::make_array<char>(size);
                        for (char& letter : request) letter = filler;
                        c.write_all(std::string_view(&request[0], size));
                    }
                    const auto answer = gc::make_array<char>(size);
                    for (std::size_t got = 0; got != size;) {
                        got += c.read(std::span(&answer[0], size).subspan(got));
                    }
                    for (const char letter : answer) EXPECT_EQ(letter, filler);
                }
                --left;
            });
        }
        while (left != 0) gc::collect();
        all.join();
    });
}

}  // namespace
}  // namespace weft::test
