// Bytes over connections, with all that may come in between: short transfers, readiness that was none, deadlines, requests to stop, closes,
// and numbers that are used again at once. Nothing is lost, doubled, or given to a stranger.
#include "base/config.hpp"
#include "io/faults.hpp"
#include "support/net.hpp"
#include "support/runtime_fixture.hpp"
#include "support/stress.hpp"

#include <weft/weft.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class TransferStress : public with_runtime {
protected:
    TransferStress() : seed(stress_seed()) {
        seconds_ *= static_cast<unsigned>(from_environment("WEFT_STRESS_SCALE", 1));
        detail::io_faults.store(seed | 1);
    }
    ~TransferStress() override { detail::io_faults.store(0); }

    [[nodiscard]] std::minstd_rand random(std::uint64_t salt) const {
        return std::minstd_rand(static_cast<std::uint32_t>(seed * 31 + salt * 7919 + 1));
    }
    static unsigned rounds(unsigned n) { return static_cast<unsigned>(stress_rounds(n)); }

    const std::uint64_t seed;
};
WEFT_TEST_PROCESSORS(TransferStress);

// Byte i of stream s.
char byte_of(std::uint64_t s, std::uint64_t i) {
    return static_cast<char>((i * 2'654'435'761u + s * 40'503u) >> 13);
}

void write_stream(net::conn& c, std::uint64_t s, std::uint64_t size, std::minstd_rand random) {
    std::string part;
    for (std::uint64_t at = 0; at != size;) {
        const std::uint64_t n = std::min<std::uint64_t>(
            size - at, 1 + random() % (random() % 8 == 0 ? 200'000 : 3'000));
        part.resize(n);
        for (std::uint64_t i = 0; i != n; ++i) part[i] = byte_of(s, at + i);
        if (random() % 4 == 0) {
            const std::size_t cut = random() % n;
            const std::span<const std::byte> parts[] = {
                std::as_bytes(std::span(part)).first(cut),
                std::as_bytes(std::span(part)).subspan(cut)};
            c.write_all(parts);
        } else {
            c.write_all(part);
        }
        at += n;
        if (random() % 16 == 0) yield();
        if (random() % 64 == 0) sleep_for(std::chrono::microseconds(random() % 300));
    }
    c.shutdown_write();
}

void read_stream(net::conn& c, std::uint64_t s, std::uint64_t size, std::minstd_rand random) {
    std::string part;
    std::uint64_t at = 0;
    for (;;) {
        part.resize(1 + random() % (random() % 8 == 0 ? 100'000 : 2'000));
        if (random() % 8 == 0)
            c.set_read_deadline(clock::now() + std::chrono::microseconds(random() % 200));
        std::error_code ec;
        const std::size_t n = c.read(std::span(part.data(), part.size()), ec);
        c.set_read_deadline(std::nullopt);
        if (ec == std::errc::timed_out) continue;
        ASSERT_FALSE(ec) << ec.message();
        if (n == 0) break;
        for (std::size_t i = 0; i != n; ++i) ASSERT_EQ(part[i], byte_of(s, at + i)) << at + i;
        at += n;
        if (random() % 64 == 0) sleep_for(std::chrono::microseconds(random() % 300));
    }
    EXPECT_EQ(at, size);
}

TEST_P(TransferStress, StreamsBothWaysInRandomPartsComeWhole) {
    run([&] {
        net::listener l = net::listen("127.0.0.1:0");
        scope all;
        const unsigned count = rounds(40);
        for (unsigned i = 0; i != count; ++i) {
            conn_pair p;
            if (i % 2 == 0) {
                p.a = net::dial(l.local().to_string());
                p.b = l.accept();
            } else {
                p = unix_pair();
            }
            all.go([&, i, p = std::move(p)]() mutable {
                scope four;
                const std::uint64_t size = 300'000 + i * 1'000;
                four.go([&] { write_stream(p.a, i, size, random(4 * i)); });
                four.go([&] { read_stream(p.b, i, size, random(4 * i + 1)); });
                four.go([&] { write_stream(p.b, i + 1'000, size, random(4 * i + 2)); });
                four.go([&] { read_stream(p.a, i + 1'000, size, random(4 * i + 3)); });
                four.join();
            });
        }
        all.join();
    });
}

// An edge that comes between a read and what follows it: one byte at a time, so that nothing else would tell of it.
TEST_P(TransferStress, NoByteOfManyIsMissed) {
    run([&] {
        auto [a, b] = tcp_pair();
        const unsigned count = rounds(100'000);
        auto writer = spawn([&, &a = a] {
            auto chance = random(1);
            for (unsigned i = 0; i != count; ++i) {
                const char c = byte_of(1, i);
                a.write_all(std::string_view(&c, 1));
                if (chance() % 32 == 0) yield();
            }
            a.shutdown_write();
        });
        unsigned at = 0;
        char part[7];
        while (const std::size_t n = b.read(part)) {
            for (std::size_t i = 0; i != n; ++i) ASSERT_EQ(part[i], byte_of(1, at + i));
            at += static_cast<unsigned>(n);
        }
        EXPECT_EQ(at, count);
        writer.join();
    });
}

// Numbers are used again as soon as they are closed: nobody reads what another connection was sent.
TEST_P(TransferStress, NobodyReadsFromAStrangersConnection) {
    run([&] {
        std::atomic<std::uint64_t> last{0};
        scope all;
        for (unsigned w = 0; w != 6; ++w) {
            all.go([&, w] {
                auto chance = random(w);
                for (unsigned i = 0; i != rounds(400); ++i) {
                    auto [a, b] = unix_pair();
                    const std::string mine = "<" + std::to_string(++last) + ">";
                    const std::string reply = mine;
                    std::vector<join_handle<void>> readers;
                    for (auto r = 1 + chance() % 4; r != 0; --r) {
                        readers.push_back(spawn([&, &b = b] {
                            for (;;) {
                                std::error_code ec;
                                char part[32];
                                const std::size_t n = b.read(part, ec);
                                if (ec || n == 0) return;
                                // Parts of what was sent here, perhaps; and never anything else.
                                const std::string got(part, n);
                                ASSERT_NE((mine + mine).find(got), std::string::npos)
                                    << got << " in " << mine;
                            }
                        }));
                    }
                    if (chance() % 2 == 0) a.write_all(mine);
                    if (chance() % 4 == 0) yield();
                    b.close();
                    for (auto& r : readers) r.join();
                }
            });
        }
        all.join();
    });
}

// The same, where threads close and deadlines pass.
TEST_P(TransferStress, ThreadsAndCoroutinesShareConnections) {
    run([&] {
        net::listener l = net::listen("127.0.0.1:0");
        const std::string address = l.local().to_string();
        std::atomic<bool> over{false};
        auto server = spawn([&] {
            scope s;
            std::error_code ec;
            while (!over) {
                l.set_deadline(clock::now() + 20ms);
                net::conn c = l.accept(ec);
                if (!ec) s.go([c = std::move(c)]() mutable { echo(std::move(c)); });
            }
            s.cancel();
            s.join();
        });
        std::vector<std::thread> threads;
        for (unsigned t = 0; t != 2; ++t) {
            threads.emplace_back([&, t] {
                auto chance = random(t);
                for (unsigned i = 0; i != rounds(150); ++i) {
                    net::conn c = net::dial(address);
                    c.write_all("ping");
                    std::error_code ec;
                    if (chance() % 3 == 0)
                        c.set_read_deadline(clock::now() +
                                            std::chrono::microseconds(chance() % 100));
                    std::string got;
                    char part[4];
                    while (got.size() != 4) {
                        const std::size_t n = c.read(part, ec);
                        if (ec) break;
                        got.append(part, n);
                    }
                    EXPECT_TRUE(ec == std::errc::timed_out || got == "ping")
                        << ec.message() << " " << got;
                }
            });
        }
        {
            scope s;
            for (unsigned t = 0; t != 4; ++t) {
                s.go([&, t] {
                    auto chance = random(10 + t);
                    for (unsigned i = 0; i != rounds(150); ++i) {
                        net::conn c = net::dial(address);
                        auto reader = spawn([&c] {
                            std::error_code ec;
                            char part[1];
                            while (c.read(part, ec) != 0) {}
                        });
                        c.write_all("ping");
                        if (chance() % 4 == 0) sleep_for(std::chrono::microseconds(chance() % 200));
                        switch (chance() % 4) {
                        case 0:
                            c.close();
                            break;
                        case 1:
                            c.set_deadline(clock::now() +
                                           std::chrono::microseconds(chance() % 100));
                            break;
                        case 2:
                            reader.request_stop();
                            break;
                        default:
                            c.shutdown_write();
                        }
                        try {
                            reader.join();
                        } catch (const coroutine_cancelled&) {}
                    }
                });
            }
            s.join();
        }
        blocking([&] {
            for (auto& thread : threads) thread.join();
        });
        over = true;
        server.join();
    });
}

}  // namespace
}  // namespace weft::test
