// Random programs of channels, selects, timers and cancellation, run under simulated schedules and held against a model
// (channel_model.hpp).
//
// A program is a number of coroutines that each do what their own generator says, whatever the others do. Two kinds:
//   exact     no two moments that anything waits for are the same, and no move throws: the history is held against
//             the model, step by step
//   loose     moments coincide, moves may throw: what must hold whatever the order is checked: each value received
//             once or left, in order between two, nobody waiting who could go on, none alive in the end
#pragma once

#include "channel_model.hpp"
#include "channel_payloads.hpp"

#include <weft/weft.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weft::test {

template <class T>
class channel_program {
    static constexpr bool throws = std::is_same_v<T, throwing_value>;

public:
    channel_program(std::uint64_t seed, bool exact) : seed_(seed), exact_(exact && !throws) {}

    /// In main of a simulation. What has gone wrong, or an empty string.
    std::string run() {
        values_alive = 0;
        dice random(seed_, 0);
        throwing_value::random.seed(static_cast<std::uint32_t>(seed_ + 1));
        throwing_value::one_in = throws ? static_cast<unsigned>(2 + random.below(12)) : 0;
        make_world(random);
        const std::size_t at_once = 1 + random.below(coroutines_.size());
        for (std::size_t i = 0; i != at_once; ++i) start(i);
        join_all();
        throwing_value::one_in = 0;
        const bool drains = random.one_in(2);
        if (drains) drain();
        std::string result = judge(drains);
        channels_.clear();
        timers_.clear();
        if (values_alive != 0) result += "values that are never destroyed, or twice\n";
        return result;
    }

private:
    struct dice {
        dice(std::uint64_t seed, std::uint64_t which)
            : random(static_cast<std::uint32_t>(seed * 2654435761u + which * 40503u + 1)) {
            random.discard(3);
        }
        std::size_t below(std::size_t n) { return random() % n; }
        bool one_in(std::size_t n) { return below(n) == 0; }

        std::mt19937 random;
    };

    struct member {
        dice random;
        std::size_t number;  // From 1; main is 0.
        bool started = false;
        bool deaf = false;
        join_handle<void> handle{};
        int section = 0;
    };

    void make_world(dice& random) {
        const std::size_t count = 1 + random.below(3);
        for (std::size_t i = 0; i != count; ++i) {
            channels_.emplace_back(random.below(4) == 3 ? 5 : random.below(3));
            log_.capacities.push_back(channels_.back().capacity());
        }
        log_.timers = random.below(3);
        log_.coroutines = 3 + random.below(5);
        for (std::size_t i = 1; i != log_.coroutines; ++i)
            coroutines_.push_back(member{dice(seed_, i), i});
        for (std::size_t i = 0; i != log_.timers; ++i) {
            log_.capacities.push_back(1);
            const auto d = duration(random);
            const std::size_t s = begin_setting(i, now() + d.count());
            timers_.emplace_back(d);
            end_setting(s, false);
        }
    }

    std::chrono::nanoseconds duration(dice& random) const {
        if (!exact_) return std::chrono::milliseconds(1 + random.below(4));
        return std::chrono::nanoseconds(1 + random.below(1u << 30));
    }

    void violation(std::string what) { log_.violations.push_back(std::move(what)); }

    // ------------------------------------------------------------------------------------ coroutines

    void start(std::size_t i) {
        member& who = coroutines_[i];
        if (std::exchange(who.started, true)) return;
        who.handle = spawn([this, &who] {
            for (std::size_t n = 4 + who.random.below(8); n != 0; --n) step(who);
        });
    }

    void join_all() {
        for (bool again = true; std::exchange(again, false);) {
            for (member& who : coroutines_) {
                while (who.handle.joinable()) {
                    again = true;
                    join_one(who);
                }
            }
        }
    }

    void join_one(member& who) {
        try {
            who.handle.join();
        } catch (const coroutine_cancelled&) {
        } catch (const deadlock&) {
            log_.add(entry::deadlocks, 0);
            // Again, when one was started meanwhile; but each at most once.
            if (++deadlocks_ > log_.coroutines)
                throw std::logic_error("a deadlock of those who were told to end\n" +
                                       log_.text(log_.entries.size() - 1));
            for (std::size_t c = 0; c != channels_.size(); ++c) close(c);
            for (std::size_t i = 0; i != coroutines_.size(); ++i) stop(i);
        }
    }

    void stop(std::size_t i) {
        if (!coroutines_[i].handle.joinable()) return;
        log_.add(entry::requests_stop, i + 1);
        coroutines_[i].handle.request_stop();
    }

    void close(std::size_t c) {
        bool open = true;
        try {
            channels_[c].close();
        } catch (const channel_closed&) {
            open = false;
        }
        log_.add(entry::closes, c, 0, open);
    }

    void step(member& who) {
        switch (who.random.below(20)) {
        case 0:
        case 1:
        case 2:
            return send(who);
        case 3:
        case 4:
        case 5:
            return receive(who);
        case 6:
        case 7:
        case 8:
        case 9:
            return select_some(who);
        case 10:
            if (who.random.one_in(2)) close(some_channel(who));
            return;
        case 11:
            return start(who.random.below(coroutines_.size()));
        case 12:
            return stop(who.random.below(coroutines_.size()));
        case 13:
        case 14:
            return pause(who);
        case 15:
            return section(who);
        case 16:
            return deafly(who);
        case 17:
            return set_timer(who);
        case 18:
            return receive_time(who);
        default:
            return who.random.one_in(2) ? tick(who) : receive_after(who);
        }
    }

    std::size_t some_channel(member& who) { return who.random.below(channels_.size()); }

    // Runs f(op), which says how it ended. Exceptions are taken down; weft::cancelled goes on.
    template <class F>
    operation& perform(member& who, operation op, F&& f) {
        op.coroutine = who.number;
        op.deaf = who.deaf;
        const std::size_t i = log_.begin(std::move(op));
        operation& running = log_.operations[i];
        running.how = ending::nothing;
        try {
            f(running);
        } catch (const channel_closed&) {
            running.how = ending::closed;
        } catch (const move_failed&) {
            running.how = ending::failed;
        } catch (const weft::cancelled&) {
            running.how = ending::cancelled;
            log_.end(i);
            throw;
        }
        log_.end(i);
        return running;
    }

    static void done(operation& op, std::size_t which, std::int64_t value) {
        op.how = ending::done;
        op.which = which;
        op.value = value;
    }
    template <class V>
    static void received(operation& op, std::size_t which, const std::optional<V>& value) {
        if (value) {
            done(op, which, payload<V>::number(*value));
        } else {
            op.how = ending::closed;
        }
    }

    void expect_kept(const T& value, std::int64_t number, const operation& op) {
        if (payload<T>::number(value) != number && op.how != ending::done)
            violation("a value is gone that was not sent");
        if (payload<T>::number(value) == number && op.how == ending::done &&
            !std::is_trivially_copyable_v<T>) {
            violation("a value is still there that was sent");
        }
    }

    void send(member& who) {
        const std::size_t c = some_channel(who);
        const std::int64_t number = ++numbers_;
        operation op{.wishes = {{c, true, number}}};
        T value = payload<T>::make(number);
        const auto sent = [&](operation& o, bool ok) {
            if (ok) done(o, 0, number);
        };
        switch (who.random.below(who.deaf ? 2 : 4)) {
        case 0: {
            op.tries = true;
            const operation& ended = perform(
                who, op, [&](operation& o) { sent(o, sender<T>(channels_[c]).try_send(value)); });
            return expect_kept(value, number, ended);
        }
        case 1: {
            const auto d = duration(who.random);
            op.deadline = now() + d.count();
            const bool until = who.random.one_in(2);
            const auto when = weft::clock::now() + d;
            const operation& ended = perform(who, op, [&](operation& o) {
                sent(o, until ? channels_[c].send_until(value, when)
                              : channels_[c].send_for(value, d));
            });
            return expect_kept(value, number, ended);
        }
        default:
            perform(who, op, [&](operation& o) {
                channels_[c].send(std::move(value));
                sent(o, true);
            });
        }
    }

    void receive(member& who) {
        const std::size_t c = some_channel(who);
        operation op{.wishes = {{c, false, 0}}};
        const auto with_status = [](operation& o, chan_status status, const T& into) {
            if (status == chan_status::ok) done(o, 0, payload<T>::number(into));
            if (status == chan_status::closed) o.how = ending::closed;
        };
        switch (who.random.below(who.deaf ? 3 : 6)) {
        case 0: {
            op.tries = true;
            T into = payload<T>::make(0);
            perform(who, op, [&](operation& o) {
                with_status(o, receiver<T>(channels_[c]).try_recv(into), into);
            });
            return;
        }
        case 1:
        case 2: {
            const auto d = duration(who.random);
            op.deadline = now() + d.count();
            const bool until = who.random.one_in(2);
            const auto when = weft::clock::now() + d;
            T into = payload<T>::make(0);
            perform(who, op, [&](operation& o) {
                with_status(
                    o, until ? channels_[c].recv_until(into, when) : channels_[c].recv_for(into, d),
                    into);
            });
            return;
        }
        case 3:
            // The iterator receives when it is made.
            perform(who, op, [&](operation& o) {
                o.how = ending::closed;
                for (T& value : channels_[c]) {
                    done(o, 0, payload<T>::number(value));
                    break;
                }
            });
            return;
        default:
            perform(who, op, [&](operation& o) { received(o, 0, channels_[c].recv()); });
        }
    }

    // ---------------------------------------------------------------------------------------- select

    enum class ends_by : std::uint8_t { nothing, timeout, otherwise };

    void select_some(member& who) {
        auto ends = static_cast<ends_by>(who.random.below(3));
        if (who.deaf && ends == ends_by::nothing) ends = ends_by::timeout;
        const auto d = duration(who.random);
        operation op;
        if (ends == ends_by::timeout) op.deadline = now() + d.count();
        op.tries = ends == ends_by::otherwise;
        who.random.one_in(3) ? select_from_set(who, std::move(op), ends, d)
                             : select_of_five(who, std::move(op), ends, d);
    }

    // Five cases, of which those without a channel are never ready.
    void select_of_five(member& who, operation op, ends_by ends, std::chrono::nanoseconds d) {
        chan<T> none;
        static_cast<void>(chan<T>(std::move(none)));
        const chan<T>* on[4] = {&none, &none, &none, &none};
        std::size_t at[5] = {};
        std::int64_t numbers[4] = {};
        for (std::size_t i = 0; i != 4; ++i) {
            const bool sends = i >= 2;
            if (sends) numbers[i] = ++numbers_;
            if (who.random.one_in(2)) continue;
            const std::size_t c = some_channel(who);
            at[i] = op.wishes.size();
            op.wishes.push_back({c, sends, numbers[i]});
            on[i] = &channels_[c];
        }
        receiver<weft::clock::time_point> time{chan<weft::clock::time_point>()};
        if (!timers_.empty() && who.random.one_in(2)) {
            const std::size_t timer = who.random.below(timers_.size());
            at[4] = op.wishes.size();
            op.wishes.push_back({log_.first_timer() + timer, false, 0});
            time = timers_[timer].channel();
        } else {
            static_cast<void>(receiver<weft::clock::time_point>(std::move(time)));
        }
        T first = payload<T>::make(numbers[2]);
        T second = payload<T>::make(numbers[3]);
        const operation& ended = perform(who, std::move(op), [&](operation& o) {
            auto a = on_recv(*on[0], [&](std::optional<T>&& v) { received(o, at[0], v); });
            auto b = on_recv(*on[1], [&](std::optional<T>&& v) { received(o, at[1], v); });
            auto c = on_send(*on[2], first, [&] { done(o, at[2], numbers[2]); });
            auto e = on_send(*on[3], second, [&] { done(o, at[3], numbers[3]); });
            auto f = on_recv(
                time, [&](std::optional<weft::clock::time_point>&& v) { received(o, at[4], v); });
            const auto nothing = [&] { o.how = ending::nothing; };
            switch (ends) {
            case ends_by::nothing:
                select(a, b, c, e, f);
                return;
            case ends_by::timeout:
                select(f, e, on_timeout(d, nothing), a, b, c);
                return;
            case ends_by::otherwise:
                select(c, a, otherwise(nothing), b, e, f);
                return;
            }
        });
        const auto kept = [&](const T& value, std::size_t i) {
            const bool sent = ended.how == ending::done && on[i] != &none && ended.which == at[i] &&
                              ended.won().sends && ended.won().value == numbers[i];
            operation alone;
            alone.how = sent ? ending::done : ending::nothing;
            expect_kept(value, numbers[i], alone);
        };
        kept(first, 2);
        kept(second, 3);
    }

    void select_from_set(member& who, operation op, ends_by ends, std::chrono::nanoseconds d) {
        select_set set;
        operation* running = nullptr;
        for (std::size_t n = who.random.below(5); n != 0; --n) {
            const std::size_t c = some_channel(who);
            const std::size_t at = op.wishes.size();
            if (who.random.one_in(2)) {
                op.wishes.push_back({c, false, 0});
                set.add(on_recv(channels_[c], [&running, at](std::optional<T>&& v) {
                    received(*running, at, v);
                }));
                continue;
            }
            const std::int64_t number = ++numbers_;
            op.wishes.push_back({c, true, number});
            try {
                set.add(on_send(channels_[c], payload<T>::make(number),
                                [&running, at, number] { done(*running, at, number); }));
            } catch (const move_failed&) {
                op.wishes.pop_back();
            }
        }
        if (ends == ends_by::timeout) {
            who.random.one_in(2) ? set.add(on_timeout(d))
                                 : set.add(on_timeout(weft::clock::now() + d));
        }
        perform(who, std::move(op), [&](operation& o) {
            running = &o;
            if (ends == ends_by::otherwise) {
                static_cast<void>(set.try_wait());
            } else {
                set.wait();
            }
        });
    }

    // ------------------------------------------------------------------------------------------ time

    void pause(member& who) {
        if (who.random.one_in(3)) return yield();
        const auto d = duration(who.random);
        operation op;
        op.deadline = now() + d.count();
        perform(who, std::move(op), [&](operation&) { sleep_for(d); });
    }

    void section(member& who) {
        if (who.section == 2) return;
        const auto d = duration(who.random);
        const moment end = now() + d.count();
        log_.add(entry::enters, who.number, end);
        struct leaver {
            channel_program& program;
            member& who;
            ~leaver() {
                --who.section;
                program.log_.add(entry::leaves, who.number);
            }
        };
        try {
            const leaver at_the_end{*this, who};
            ++who.section;
            with_timeout(d, [&] {
                for (std::size_t n = 1 + who.random.below(3); n != 0; --n) step(who);
            });
        } catch (const timed_out&) {
            if (now() < end) violation("a timeout before its time");
        }
    }

    void deafly(member& who) {
        const no_cancel deaf;
        const bool before = std::exchange(who.deaf, true);
        switch (who.random.below(3)) {
        case 0:
            send(who);
            break;
        case 1:
            receive(who);
            break;
        default:
            select_some(who);
        }
        who.deaf = before;
    }

    std::size_t begin_setting(std::size_t timer, moment when) {
        log_.settings.push_back({timer, when});
        log_.add(entry::sets, log_.settings.size() - 1);
        return log_.settings.size() - 1;
    }
    void end_setting(std::size_t which, bool was_pending) {
        log_.settings[which].was_pending = was_pending;
        log_.settings[which].ended = true;
        log_.add(entry::has_set, which);
    }

    void set_timer(member& who) {
        if (timers_.empty()) return;
        const std::size_t i = who.random.below(timers_.size());
        if (who.random.one_in(2)) {
            const std::size_t s = begin_setting(i, no_moment);
            end_setting(s, timers_[i].stop());
            return;
        }
        const auto d = duration(who.random);
        const std::size_t s = begin_setting(i, now() + d.count());
        end_setting(s, timers_[i].reset(d));
    }

    void receive_time(member& who) {
        if (timers_.empty()) return;
        const std::size_t i = who.random.below(timers_.size());
        operation op{.wishes = {{log_.first_timer() + i, false, 0}}};
        const auto from = timers_[i].channel();
        const auto take = [](operation& o, const std::optional<weft::clock::time_point>& v) {
            if (v) done(o, 0, payload<weft::clock::time_point>::number(*v));
        };
        if (who.random.one_in(3)) {
            op.tries = true;
            perform(who, op, [&](operation& o) { take(o, from.try_recv()); });
            return;
        }
        const auto d = duration(who.random);
        op.deadline = now() + d.count();
        perform(who, op, [&](operation& o) { take(o, from.recv_for(d)); });
    }

    void receive_after(member& who) {
        const auto d = duration(who.random);
        const moment due = now() + d.count();
        operation op;
        op.apart = true;
        perform(who, std::move(op), [&](operation& o) {
            const auto got = after(d).recv();
            o.how = ending::done;
            if (!got || got->time_since_epoch().count() != due || now() != due)
                violation("after() is not on time");
        });
    }

    // A reader with pauses: what it gets is the first tick since it has last looked.
    void tick(member& who) {
        const auto period = duration(who.random);
        const moment started = now();
        const ticker ticks(period);
        moment last = started;
        for (std::size_t n = 1 + who.random.below(4); n != 0; --n) {
            if (who.random.one_in(2)) pause(who);
            operation op;
            op.apart = true;
            perform(who, std::move(op), [&](operation& o) {
                const moment begun = now();
                const auto got = ticks.channel().recv();
                o.how = ending::done;
                const moment due =
                    started + ((last - started) / period.count() + 1) * period.count();
                if (!got || got->time_since_epoch().count() != due || now() != std::max(begun, due))
                    violation("a tick is not on time");
                last = now();
            });
        }
    }

    // ---------------------------------------------------------------------------------------- judging

    void drain() {
        member main{dice(seed_, 0), 0};
        for (std::size_t c = 0; c != channels_.size(); ++c) {
            for (;;) {
                operation op{.wishes = {{c, false, 0}}, .tries = true};
                const operation& ended = perform(main, op, [&](operation& o) {
                    if (const auto v = channels_[c].try_recv())
                        received(o, 0, v);
                    else if (channels_[c].closed())
                        o.how = ending::closed;
                });
                if (ended.how != ending::done) break;
            }
        }
    }

    std::string judge(bool drained) {
        std::string result;
        for (const std::string& what : log_.violations) result += what + "\n";
        result += accounts(drained);
        if (!exact_ || !result.empty()) return result;
        channel_model model(log_);
        result += model.check();
        if (result.empty() && drained && !model.may_be_drained())
            result += "the model has values left that the channels have lost\n";
        return result;
    }

    // What must hold in any order of effects.
    std::string accounts(bool drained) {
        const std::size_t channels = channels_.size();
        std::map<std::int64_t, const operation*> sent;
        std::map<std::int64_t, const operation*> received;
        // Of those who ended so far, by channel.
        std::vector<std::int64_t> inside(channels, 0);
        std::vector<bool> closed(channels, false);
        std::set<std::size_t> pending;
        std::map<std::vector<std::size_t>, std::int64_t> last;
        moment at = 0;
        const bool any_failed =
            std::any_of(log_.operations.begin(), log_.operations.end(),
                        [](const operation& op) { return op.how == ending::failed; });
        const auto fail = [&](const char* what, std::size_t i) {
            return std::string(what) + "\n" + log_.text(i);
        };
        for (const operation& op : log_.operations) {
            if (op.has_won() && op.won().sends) sent[op.won().value] = &op;
        }
        for (std::size_t i = 0; i != log_.entries.size(); ++i) {
            const entry& e = log_.entries[i];
            if (e.at > at || e.kind == entry::deadlocks) {
                at = e.at;
                for (const std::size_t p : pending) {
                    for (const wish& w : log_.operations[p].wishes) {
                        if (w.channel >= channels) continue;
                        const auto full = inside[w.channel];
                        const auto room = static_cast<std::int64_t>(log_.capacities[w.channel]);
                        if (closed[w.channel] || (w.sends ? full < room : full != 0))
                            return fail("somebody waits who could go on", i);
                    }
                }
            }
            if (e.kind == entry::closes) closed[e.which] = true;
            if (e.kind == entry::begins) pending.insert(e.which);
            if (e.kind != entry::ends) continue;
            pending.erase(e.which);
            const operation& op = log_.operations[e.which];
            if (!op.has_won() || op.won().channel >= channels) continue;
            const std::size_t c = op.won().channel;
            inside[c] += op.won().sends ? 1 : -1;
            if (op.won().sends) continue;
            const auto from = sent.find(op.value);
            if (from == sent.end() || from->second->won().channel != c)
                return fail("a value is received that nobody has sent", i);
            if (!received.insert({op.value, &op}).second)
                return fail("a value is received twice", i);
            // Numbers grow, so those that one sends come in order where one receives them; but for one whose move threw
            // and that went back, when others may have gone out already.
            std::int64_t& before = last[{c, from->second->coroutine, op.coroutine}];
            if (op.value < before && !any_failed) return fail("values come out of order", i);
            before = op.value;
        }
        if (drained && received.size() != sent.size())
            return fail("a value is lost", log_.entries.size() - 1);
        return {};
    }

    const std::uint64_t seed_;
    const bool exact_;
    std::vector<chan<T>> channels_;
    std::vector<timer> timers_;
    std::vector<member> coroutines_;
    history log_;
    std::int64_t numbers_ = 0;
    std::size_t deadlocks_ = 0;
};

/// Runs `count` programs, each under that many simulated schedules.
template <class T>
void explore_channel_programs(std::uint64_t first, std::uint64_t count, unsigned schedules,
                              bool exact) {
    for (std::uint64_t seed = first; seed != first + count; ++seed) {
        try {
            weft::testing::explore(schedules, [&] {
                channel_program<T> program(seed, exact);
                const std::string violations = program.run();
                if (!violations.empty()) throw std::logic_error(violations);
            });
        } catch (const weft::testing::failure& f) {
            FAIL() << "program " << seed << ": " << f.what();
        }
    }
}

}  // namespace weft::test
