#include "sched/turns_model.hpp"

#include <algorithm>
#include <array>

namespace weft::detail::model {

// The runtime's own queues, and other processors of the model to steal from.
struct machine_room::sources : queue_sources {
    sources(machine_room& whose, cpu& which) : queue_sources(which.p), room(whose), here(which) {}

    machine_room& room;
    cpu& here;

    [[nodiscard]] ns now() const { return room.now_; }
    [[nodiscard]] bool has_sticky() const { return !here.sticky.empty(); }
    coroutine* sticky() {
        if (here.sticky.empty()) return nullptr;
        coroutine* const c = here.sticky.front()->c.get();
        here.sticky.pop_front();
        return ahead(c);
    }
    void end_chain() { room.end_chain(here); }
    bool timers() {
        const std::size_t before = room.due_.size();
        room.fire_timers(here, here, false);
        return room.due_.size() != before;
    }
    coroutine* steal() {
        for (const auto& other : room.cpus_) {
            if (other.get() == &here) continue;
            if (here.p.ring.steal_from(other->p.woken) + here.p.ring.steal_from(other->p.ring) != 0)
                return here.p.ring.pop();
            coroutine* const c = other->p.next.peek();
            if (c != nullptr && room.now_ - other->next_since >= 600 * us && other->p.next.steal(c))
                return c;
        }
        return nullptr;
    }
};

machine_room::machine_room(unsigned processors) {
    for (unsigned i = 0; i != processors; ++i) cpus_.push_back(std::make_unique<cpu>(i));
    sched.active_count.store(processors);
}

machine_room::~machine_room() {
    std::array<coroutine*, run_queue::half> batch;
    while (sched.global.take(batch, 1, 0) != 0 || sched.global.take_arrivals(batch, 1) != 0 ||
           sched.global.take_expired() != nullptr) {}
    sched.active_count.store(0);
}

int machine_room::add(script s) {
    const auto id = static_cast<int>(scripts_.size());
    scripts_.push_back(std::make_unique<script>(std::move(s)));
    script& made = *scripts_.back();
    made.c->id = static_cast<std::uint64_t>(id);
    made.c->state.store(co_state::runnable);
    made.left = made.steps.front().compute;
    for (const step& one : made.steps) {
        if (!made.polite) rudest_ = std::max(rudest_, one.compute);
    }
    ++alive_;
    return id;
}

void machine_room::start_at(ns when, int s) { timers_.push({when, &(*this)[s], outside}); }

void machine_room::runnable(script& s, came how, unsigned where) {
    s.how = how;
    s.where = where;
    s.since = now_;
    s.order = ++order_;
    s.ahead = s.overtaken = 0;
    if (how == came::arrival) {
        // The others have as much time to come as arrivals have just used, on whichever processor it will be.
        for (const auto& one : cpus_)
            s.ahead = std::max(s.ahead, one->p.turn.owed_by_arrivals(now_));
    }
    s.waiting_to_run = true;
    waiting_.push_back(&s);
}

// Adds what its current one has used since the last time to each that waits: as used by one before it, or by one that has
// overtaken it.
void machine_room::charge(cpu& on) {
    const ns used = now_ - on.run_from;
    on.run_from = now_;
    if (on.current == nullptr || used == 0) return;
    script& running = *on.current;
    running.ran += used;
    for (script* const s : waiting_) {
        if ((s->how == came::next || s->how == came::sticky) && s->where != on.p.index) continue;
        const bool goes_ahead = on.goes_ahead;
        (std::min(running.order, on.chain_order) < s->order || goes_ahead ? s->ahead
                                                                          : s->overtaken) += used;
    }
}

void machine_room::check(const script& s) {
    ++waits_checked_;
    const ns waited = now_ - s.since;
    // By the table: so many slices that others may take out of turn, and then twice what is ahead, because arrivals and
    // sticky ones have at most half of the time beside everybody else.
    ns slices = 0;
    switch (s.how) {
    case came::arrival:
        slices = 0;
        break;
    case came::next:
        slices = 1;
        break;
    case came::ring:
        slices = 3;
        break;
    case came::yielded:   // Behind those that are new,
        slices = 34 + 4;  // and then as overflow.
        break;
    case came::spawned:
        slices = 34;
        break;
    case came::expired:
        slices = 4;
        break;
    case came::sticky:
        slices = 5;
        break;
    }
    // Tiny queues are overflow nearly all of the time, so everybody has the bound of those that wait longest.
    if constexpr (tiny_limits) slices += 40;
    const ns bound = slices * slice + 2 * s.ahead + 2 * ms + 2 * rudest_;
    if (waited <= bound || !broken_.empty()) return;
    static constexpr const char* names[] = {"an arrival",       "one in next", "one in the ring",
                                            "one that yielded", "a new one",   "an expired one",
                                            "a sticky one"};
    broken_ = std::string(names[static_cast<int>(s.how)]) + " (" + std::to_string(s.c->id.get()) +
              ") waited for " + std::to_string(waited / us) + " us, with " +
              std::to_string(s.ahead / us) + " us ahead of it, overtaken for " +
              std::to_string(s.overtaken / us) + " us; at " + std::to_string(now_ / us) + " us";
}

void machine_room::dispatched(cpu& on, script& s) {
    ++dispatches_;
    check(s);
    s.waiting_to_run = false;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &s));
    if (s.first_run < 0) s.first_run = now_;
    s.c->state.store(co_state::running);
    on.current = &s;
    on.run_from = on.dispatched = now_;
    on.p.tick.add();
    if (on.chain != on.p.chain_number()) {
        on.chain = on.p.chain_number();
        on.chain_since = now_;
        on.chain_order = s.order;
    }
}

void machine_room::arrive(script& s) {
    runnable(s, came::arrival, 0);
    sched.global.push_arrival(*s.c);
    for (const auto& one : cpus_) {
        if (one->current == nullptr) return;  // serve_idle() comes.
    }
    for (std::size_t i = 0; i != cpus_.size(); ++i) {
        cpu& one = *cpus_[(rotation_ + i) % cpus_.size()];
        if (one.request != preempt_none) continue;
        one.request = preempt_look;
        break;
    }
    ++rotation_;
}

void machine_room::put_next(cpu& on, script& s, came how) {
    runnable(s, how, on.p.index);
    on.next_since = now_;
    if (coroutine* const kicked = on.p.next.put(s.c.get(), on.p.owner_bias)) {
        of(*kicked).how = kicked->state.load() == co_state::runnable ? came::spawned : came::ring;
        push_ring(on.p, *kicked);
    }
}

void machine_room::fire_timers(cpu& whose, cpu& here, bool cuts_in) {
    for (std::size_t i = 0; i != due_.size() && here.p.woken.size() <= run_queue::half;) {
        if (due_[i].owner != whose.p.index) {
            ++i;
            continue;
        }
        script& s = *due_[i].who;
        due_.erase(due_.begin() + static_cast<std::ptrdiff_t>(i));
        --whose.timers;
        // It has been waiting since it was due.
        if (!cuts_in || !here.p.woken.push(*s.c)) push_ring(here.p, *s.c);
    }
}

bool machine_room::looks(const cpu& on) {
    return on.request != preempt_none || on.p.tick.read() + 1 >= on.p.look_at;
}

void machine_room::end_chain(cpu& on) {
    if (coroutine* const next = on.p.next.peek()) of(*next).how = came::ring;
    detail::end_chain(on.p);
}

// As find_work(), but for what a processor may pick by itself.
void machine_room::choose(cpu& on) {
    processor& p = on.p;
    on.current = nullptr;
    const bool by_way_of_scheduler = looks(on);
    const preempt_request request = std::exchange(on.request, preempt_none);
    coroutine* c = nullptr;
    if (!by_way_of_scheduler) c = take_own(p);
    if (c == nullptr) {
        if (request == preempt_slice) {
            end_chain(on);
        } else if (request == preempt_cut) {
            p.turn.make_room(now_, p.next.peek());
            for (const auto& one : cpus_) fire_timers(*one, on, true);
        }
        const bool cuts_in = !p.ring.empty() || p.next.peek() != nullptr || !sched.global.empty();
        fire_timers(on, on, cuts_in);
        // Without anything to time, every 61st; with, about every 25 us, and so each of those that are longer.
        const bool timed = !on.sticky.empty() || !p.woken.empty() || !sched.global.empty() ||
                           on.timers != 0 || p.turn.ahead_under_way();
        p.look_at = p.tick.read() + 1 + (timed ? 1 : fairness_ticks);
        sources from(*this, on);
        c = p.turn.pick(from);
    }
    if (c == nullptr) return;
    script& s = of(*c);
    on.goes_ahead = s.how == came::arrival || s.how == came::sticky ||
                    (s.how == came::next && on.p.turn.ahead_under_way());
    dispatched(on, s);
}

void machine_room::leave(cpu& on) {
    charge(on);
    script& s = *on.current;
    const step& here = s.steps[s.at];
    if (here.wakes >= 0) {
        script& other = (*this)[here.wakes];
        if (other.waits) {
            other.waits = false;
            put_next(on, other, came::next);
        } else if (!other.done) {
            other.token = true;
        }
    }
    for (int i = 0; i != here.spawns; ++i) {
        script born;
        born.steps = {{here.spawn_compute, act::end}};
        put_next(on, (*this)[add(std::move(born))], came::next);
    }
    const act then = here.then;
    const ns until = here.until;
    s.at = s.at + 1;
    if (s.at == s.steps.size() && s.repeats) s.at = 0;
    if (s.at == s.steps.size() || then == act::end) {
        s.done = true;
        --alive_;
        choose(on);
        return;
    }
    s.left = s.steps[s.at].compute;
    s.c->state.store(co_state::parked);
    switch (then) {
    case act::yield:
        if (looks(on) && sched.global.has_overflow()) {
            runnable(s, came::yielded, 0);
            sched.global.push_yielded(*s.c, sched.turn.load());
        } else {
            runnable(s, came::ring, on.p.index);
            push_ring(on.p, *s.c);
        }
        break;
    case act::sleep:
        timers_.push({now_ + until, &s, on.p.index});
        ++on.timers;
        on.p.look_at = 0;
        break;
    case act::blocking:
        timers_.push({now_ + until, &s, outside});
        break;
    case act::wait:
        if (s.token) {
            s.token = false;
            put_next(on, s, came::next);
        } else {
            s.waits = true;
        }
        break;
    case act::spawn:
    case act::end:
        break;
    }
    choose(on);
}

void machine_room::preempt(cpu& on, preempt_request what) {
    script& s = *on.current;
    on.request = what;
    if (!s.polite) return;  // It comes by when its step is over.
    charge(on);
    s.left -= now_ - on.dispatched;
    s.c->state.store(co_state::parked);
    if (s.loops) {
        runnable(s, came::sticky, on.p.index);
        on.sticky.push_back(&s);
    } else if (what == preempt_cut) {
        put_next(on, s, came::next);
    } else {
        runnable(s, came::expired, 0);
        sched.global.push_expired(*s.c, sched.turn.load());
    }
    choose(on);
}

bool machine_room::arrivals_wait() const {
    if (sched.global.has_arrivals() || !due_.empty()) return true;
    return std::any_of(cpus_.begin(), cpus_.end(),
                       [](const auto& one) { return !one->p.woken.empty(); });
}

bool machine_room::work_visible() const {
    if (!sched.global.empty() || !due_.empty()) return true;
    return std::any_of(cpus_.begin(), cpus_.end(), [this](const auto& one) {
        return !one->p.ring.empty() || !one->p.woken.empty() ||
               (one->p.next.peek() != nullptr &&
                (one->current == nullptr || now_ - one->next_since >= 600 * us));
    });
}

void machine_room::serve_idle() {
    for (const auto& one : cpus_) {
        if (one->current != nullptr || (!work_visible() && one->sticky.empty())) continue;
        // A thief fires others' timers.
        for (const auto& other : cpus_) fire_timers(*other, *one, false);
        choose(*one);
    }
}

void machine_room::run_until(ns end) {
    while (alive_ != 0 && broken_.empty()) {
        serve_idle();
        bool idle = false;
        ns at = next_turn_;
        if (!timers_.empty()) at = std::min(at, timers_.top().when);
        for (const auto& one : cpus_) {
            if (one->current == nullptr) {
                idle = true;
                continue;
            }
            at = std::min(at, one->dispatched + one->current->left);
            if (one->request != preempt_slice) at = std::min(at, one->chain_since + slice);
        }
        // Whom a waiting arrival cuts: the one that has run longest, or whose own it is.
        cpu* longest = nullptr;
        for (const auto& one : cpus_) {
            if (one->current == nullptr) continue;
            if (idle && one->p.next.peek() != nullptr)
                at = std::min(at, one->next_since + 600 * us);
            if (one->request == preempt_slice || one->request == preempt_cut) continue;
            if (!one->p.woken.empty() || longest == nullptr ||
                (longest->p.woken.empty() && one->dispatched < longest->dispatched)) {
                longest = one.get();
            }
        }
        const bool cut = arrivals_wait() && !idle && longest != nullptr;
        if (cut) at = std::min(at, std::max(now_, longest->dispatched + least_run_ns));
        if (at > end) return;
        now_ = std::max(now_, at);

        if (now_ == next_turn_) {
            next_turn_ += turn_ns;
            sched.turn.fetch_add(1);
            for (const auto& one : cpus_) {
                if (one->current != nullptr && one->request == preempt_none &&
                    !sched.global.empty())
                    one->request = preempt_look;
            }
        }
        while (!timers_.empty() && timers_.top().when <= now_) {
            const timer t = timers_.top();
            timers_.pop();
            if (t.owner == outside) {
                arrive(*t.who);
            } else {
                runnable(*t.who, came::arrival, 0);
                due_.push_back(t);
            }
        }
        for (const auto& one : cpus_) {
            if (one->current != nullptr && one->dispatched + one->current->left <= now_)
                leave(*one);
        }
        for (const auto& one : cpus_) {
            if (one->current != nullptr && one->request != preempt_slice &&
                one->chain_since + slice <= now_) {
                preempt(*one, preempt_slice);
            }
        }
        if (cut && longest->current != nullptr && longest->request != preempt_slice &&
            longest->dispatched + least_run_ns <= now_ && arrivals_wait()) {
            preempt(*longest, preempt_cut);
        }
    }
}

}  // namespace weft::detail::model
