// A program of 0.1: channels and select.

#include "check.hpp"

#include <weft/chan.hpp>
#include <weft/go.hpp>
#include <weft/runtime.hpp>
#include <weft/select.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

const auto soon = [] { return weft::clock::now() + 1us; };

void values() {
    weft::chan<std::string> words(4);
    CHECK(words.capacity() == 4 && words.size() == 0 && !words.closed());
    words.send("one");
    std::string two = "two";
    CHECK(words.try_send(two) && two.empty());
    const std::string three = "three";
    CHECK(words.try_send(three) && words.try_send("four"));
    CHECK(words.size() == 4 && !words.try_send("five"));
    CHECK(!words.send_for(three, 1us) && !words.send_until(three, soon()));
    std::string kept = "kept";
    CHECK(!words.send_for(kept, 1us) && !words.send_until(kept, soon()) && kept == "kept");
    CHECK(!words.send_for(std::string("x"), 1us) && !words.send_until(std::string("x"), soon()));

    CHECK(words.recv() == "one" && words.try_recv() == "two" && words.recv_for(1h) == "three");
    CHECK(words.recv_until(weft::clock::now() + 1h) == "four");
    CHECK(!words.try_recv() && !words.recv_for(1us) && !words.recv_until(soon()));
    std::string into;
    CHECK(words.try_recv(into) == weft::chan_status::empty);
    CHECK(words.recv_for(into, 1us) == weft::chan_status::timeout);
    CHECK(words.recv_until(into, soon()) == weft::chan_status::timeout);
    words.send("last");
    CHECK(words.try_recv(into) == weft::chan_status::ok && into == "last");

    words.close();
    CHECK(words.closed() && !words.recv());
    CHECK(words.try_recv(into) == weft::chan_status::closed);
    CHECK(throws<weft::channel_closed>([&] { words.send("late"); }));
    CHECK(throws<std::logic_error>([&] { words.close(); }));
}

void signals() {
    weft::chan<void> signal(1);
    signal.send();
    CHECK(!signal.try_send() && !signal.send_for(1us) && !signal.send_until(soon()));
    CHECK(signal.recv());
    CHECK(signal.try_recv() == weft::chan_status::empty);
    CHECK(signal.recv_for(1us) == weft::chan_status::timeout);
    CHECK(signal.recv_until(soon()) == weft::chan_status::timeout);
    signal.close();
    CHECK(!signal.recv());
}

void ends() {
    weft::chan<int> both;
    const weft::sender<int> in = both;
    const weft::receiver<int> out = both;
    CHECK(weft::sender<int>(both) == in && weft::receiver<int>(both) == out && both == both);
    weft::join_handle<void> writer = weft::spawn([in] {
        for (int i = 1; i <= 3; ++i) in.send(i);
        CHECK(in.send_for(4, 1h));
        CHECK(in.send_until(5, weft::clock::now() + 1h));
        in.close();
    });
    int sum = 0;
    for (int& value : out) sum += value;
    CHECK(sum == 15 && out.closed() && out.size() == 0 && out.capacity() == 0 && in.closed() &&
          in.size() == 0 && in.capacity() == 0);
    writer.join();
    CHECK(!out.recv() && !out.try_recv() && !out.recv_for(1h) && !out.recv_until(soon()));
    CHECK(throws<weft::channel_closed>([&] { (void)in.try_send(1); }));

    weft::sender<int> none;
    weft::receiver<int> nothing;
    CHECK(throws<std::logic_error>([&] { none.send(1); }));
    CHECK(throws<std::logic_error>([&] { (void)nothing.recv(); }));
    weft::sender<int> one = weft::chan<int>(1);
    none.swap(one);
    none.send(1);
    weft::receiver<int> from = weft::chan<int>(1);
    nothing.swap(from);
    CHECK(!nothing.try_recv());
    weft::chan<int> first(1);
    weft::chan<int> second(2);
    first.swap(second);
    CHECK(first.capacity() == 2);

    weft::chan<std::unique_ptr<int>> owners(1);
    owners.send(std::make_unique<int>(6));
    CHECK(**owners.recv() == 6);
}

void selecting() {
    weft::chan<int> numbers(1);
    weft::chan<void> signal(1);
    int got = 0;
    CHECK(weft::select(weft::on_recv(numbers, [](std::optional<int>) {}),
                       weft::otherwise([&] { got = 1; })) == 1);
    CHECK(got == 1);
    CHECK(weft::select(weft::on_send(numbers, 5, [&] { got = 2; })) == 0 && got == 2);
    CHECK(weft::select(weft::on_recv(numbers, [&](std::optional<int> n) { got = *n; }),
                       weft::on_recv(signal, [](bool) {})) == 0);
    CHECK(got == 5);
    int value = 8;
    const int constant = 9;
    CHECK(weft::select(weft::on_send(numbers, value), weft::on_recv(signal)) == 0);
    CHECK(weft::select(weft::on_send(numbers, constant), weft::on_timeout(1us, [&] { got = 3; })) ==
          1);
    CHECK(weft::select(weft::on_recv(signal), weft::on_timeout(soon())) == 1 && got == 3);
    CHECK(weft::select(weft::on_send(signal, [&] { got = 4; })) == 0 && got == 4);
    CHECK(weft::select(weft::on_recv(weft::receiver<void>(signal), [&] { got = 6; })) == 0);
    CHECK(got == 6);
    CHECK(weft::select(weft::on_recv(signal), weft::otherwise()) == 1);
}

void sets() {
    weft::chan<int> numbers(2);
    weft::select_set set;
    CHECK(set.empty() && set.size() == 0);
    int got = 0;
    const std::size_t index =
        set.add(weft::on_recv(numbers, [&](std::optional<int> n) { got = *n; }));
    CHECK(!set.empty() && set.size() == 1 && !set.try_wait());
    numbers.send(3);
    CHECK(set.wait() == index && got == 3);
    numbers.send(4);
    CHECK(set.try_wait() == index && got == 4);
    weft::select_set moved = std::move(set);
    moved.remove(index);
    CHECK(moved.empty());
    CHECK(throws<std::out_of_range>([&] { moved.remove(index); }));
}

void ends_of_coroutines() {
    const weft::join_handle<int> ended = weft::spawn([] { return 1; });
    int ran = 0;
    CHECK(weft::select(weft::on_join(ended, [&] { ++ran; }), weft::on_join(ended)) < 2 && ran < 2);
}

void closes() {
    weft::chan<int> c;
    { const weft::closing at_the_end(c); }
    CHECK(c.closed());
    const weft::closing again(c);
}

void without_a_channel() {
    const weft::chan<int> some(1);
    const weft::chan<int> none = weft::chan<int>::none();
    CHECK(some && !none && !weft::receiver<int>());
    CHECK(weft::select(weft::on_recv(none), weft::on_send(some, 1)) == 1);
}

}  // namespace

int main() {
    return weft::run([] {
        values();
        signals();
        ends();
        selecting();
        sets();
        ends_of_coroutines();
        closes();
        without_a_channel();
    });
}
