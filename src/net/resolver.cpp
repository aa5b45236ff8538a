#include "net/resolver.hpp"

#include "arch/calls.hpp"
#include "base/config.hpp"
#include "base/print.hpp"
#include "base/stack_facts.hpp"
#include "io/transfer.hpp"
#include "net/address.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/ranked_lock.hpp"
#include "os/thread.hpp"
#include "sched/poll.hpp"
#include "sched/scheduler.hpp"
#include "sched/simulation.hpp"
#include "sync/waiter.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace weft::detail {
namespace {

constexpr unsigned threads_most = tiny_limits ? 2 : 64;
constexpr std::int64_t idle_kept = tiny_limits ? 20'000'000 : 2'000'000'000;

using addresses = std::vector<net::endpoint>;
using hook = std::function<addresses(std::string_view)>;

struct lookup {
    std::string name;
    std::shared_ptr<const hook> by;  // Null: the system.
    // Under the lock.
    wait_list waiters;
    bool done = false;
    addresses found;
    std::error_code error;
};

struct resolver_thread {
    thread_handle handle{};
    std::string name;          // Of what it looks up; under the lock.
    bool left_behind = false;  // Under the lock: nobody joins it.
    resolver_thread* next = nullptr;
};

// Never destroyed: threads that were left behind may still come back to it.
struct resolver_state {
    ranked_lock lock{lock_rank::blocking};
    std::map<std::string, std::shared_ptr<lookup>> flying;
    std::deque<std::shared_ptr<lookup>> waiting;
    std::shared_ptr<const hook> by;
    resolver_thread* running = nullptr;
    resolver_thread* ended = nullptr;
    unsigned thread_count = 0;
    unsigned idle = 0;
    bool stopping = false;
    std::atomic<std::uint32_t> bell{0};
};
resolver_state& state() {
    static auto* const s = new resolver_state;
    return *s;
}

class category_of_names : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "weft resolver"; }
    [[nodiscard]] std::string message(int value) const override { return ::gai_strerror(value); }
    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        return std::make_error_condition(value == EAI_MEMORY ? std::errc::not_enough_memory
                                                             : std::errc::host_unreachable);
    }
};

// The families by turns, beginning with that of the first (RFC 8305).
void interleave(addresses& all) {
    if (all.empty()) return;
    const int first = net_access::family_of(all.front());
    addresses one;
    addresses other;
    for (const net::endpoint& e : all)
        (net_access::family_of(e) == first ? one : other).push_back(e);
    all.clear();
    for (std::size_t i = 0; i != std::max(one.size(), other.size()); ++i) {
        if (i < one.size()) all.push_back(one[i]);
        if (i < other.size()) all.push_back(other[i]);
    }
}

[[gnu::noinline]] std::error_code ask_system(const std::string& name, addresses& found) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    // There may be no other address than those of the loopback.
    if (error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA) {
        hints.ai_flags = 0;
        error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    }
    if (error == EAI_SYSTEM) return {errno, std::system_category()};
    if (error != 0) return {error, net::resolver_category()};
    for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
        if (a->ai_addrlen > socket_address::capacity) continue;
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
        socket_address address;
        std::memcpy(address.bytes, a->ai_addr, a->ai_addrlen);
        address.size = a->ai_addrlen;
        const net::endpoint e = net_access::endpoint_of(address);
        if (std::find(found.begin(), found.end(), e) == found.end()) found.push_back(e);
    }
    ::freeaddrinfo(list);
    return {};
}

std::error_code ask(const lookup& job, addresses& found) {
    std::error_code error;
    try {
        if (job.by == nullptr) {
            error = ask_system(job.name, found);
        } else {
            call_user([&] { found = (*job.by)(job.name); });
        }
    } catch (const std::system_error& e) {
        error = e.code();
    } catch (const std::bad_alloc&) {
        error = std::make_error_code(std::errc::not_enough_memory);
    } catch (...) {
        error = std::error_code(EAI_FAIL, net::resolver_category());
    }
    if (!error && found.empty()) error = std::error_code(EAI_NONAME, net::resolver_category());
    return error;
}

void finish(resolver_state& s, lookup& job, addresses found, std::error_code error) {
    wake_chain woken;
    {
        const std::lock_guard hold(s.lock);
        if (job.done) return;  // Given up at the end of a runtime.
        const auto it = s.flying.find(job.name);
        if (it != s.flying.end() && it->second.get() == &job) s.flying.erase(it);
        job.found = std::move(found);
        job.error = error;
        job.done = true;
        woken.take_all(job.waiters);
    }
    woken.wake();
}

// The next lookup; null: none has come for long, or the runtime stops.
std::shared_ptr<lookup> next_job(resolver_state& s, resolver_thread& me) {
    std::int64_t until = 0;
    for (;;) {
        const std::uint32_t seen = s.bell.load(std::memory_order_acquire);
        {
            const std::lock_guard hold(s.lock);
            if (me.left_behind) return nullptr;
            if (!s.waiting.empty()) {
                std::shared_ptr<lookup> job = std::move(s.waiting.front());
                s.waiting.pop_front();
                me.name = job->name;
                return job;
            }
            me.name.clear();
            if (s.stopping || (until != 0 && monotonic_ns() >= until)) return nullptr;
            ++s.idle;
        }
        if (until == 0) until = monotonic_ns() + idle_kept;
        static_cast<void>(futex_wait(s.bell, seen, until));
        const std::lock_guard hold(s.lock);
        --s.idle;
    }
}

void* resolver_main(void* argument) {
    auto& me = *static_cast<resolver_thread*>(argument);
    resolver_state& s = state();
    name_this_thread("weft-resolver");
    while (std::shared_ptr<lookup> job = next_job(s, me)) {
        addresses found;
        const std::error_code error = ask(*job, found);
        finish(s, *job, std::move(found), error);
    }
    bool left_behind = false;
    {
        const std::lock_guard hold(s.lock);
        left_behind = me.left_behind;
        if (!left_behind) {
            resolver_thread** at = &s.running;
            while (*at != &me) at = &(*at)->next;
            *at = me.next;
            me.next = std::exchange(s.ended, &me);
            --s.thread_count;
        }
        sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
    }
    if (left_behind) {
        delete &me;
    } else {
        s.bell.fetch_add(1, std::memory_order_release);
        futex_wake(s.bell, 1 << 30);
    }
    return nullptr;
}

void join_ended(resolver_state& s) {
    resolver_thread* t = nullptr;
    {
        const std::lock_guard hold(s.lock);
        t = std::exchange(s.ended, nullptr);
    }
    while (t != nullptr) {
        resolver_thread* const next = t->next;
        join_thread(t->handle);
        delete t;
        t = next;
    }
}

void stop_resolver() noexcept {
    resolver_state& s = state();
    const std::int64_t grace = sched.opts.shutdown_grace.count();
    const std::int64_t now = monotonic_ns();
    const std::int64_t until = grace < never - now ? now + grace : never;
    {
        const std::lock_guard hold(s.lock);
        s.stopping = true;
        s.waiting.clear();
    }
    for (;;) {
        const std::uint32_t seen = s.bell.fetch_add(1, std::memory_order_release) + 1;
        futex_wake(s.bell, 1 << 30);
        {
            const std::lock_guard hold(s.lock);
            if (s.running == nullptr || monotonic_ns() >= until) break;
        }
        static_cast<void>(futex_wait(s.bell, seen, std::min(until, monotonic_ns() + 50'000'000)));
    }
    wake_chain woken;
    std::vector<std::shared_ptr<lookup>> given_up;
    {
        const std::lock_guard hold(s.lock);
        for (resolver_thread* t = s.running; t != nullptr; t = t->next) {
            printer out;
            out << "weft: the lookup of '" << t->name
                << "' has not come back within shutdown_grace; its thread is left behind\n";
            out.flush();
            t->left_behind = true;
            detach_thread(t->handle);
        }
        s.running = nullptr;
        s.thread_count = 0;
        for (auto& [name, job] : s.flying) {
            job->done = true;
            job->error = std::make_error_code(std::errc::operation_canceled);
            woken.take_all(job->waiters);
            given_up.push_back(std::move(job));
        }
        s.flying.clear();
        s.stopping = false;
    }
    woken.wake();
    join_ended(s);
}

constinit stop_hook at_stop{&stop_resolver};

// Another thread, if all are at work and there may be more. Under the lock. False: there is none, nor can there be one.
bool need_thread_locked(resolver_state& s) {
    if (s.idle >= s.waiting.size() || s.thread_count >= threads_most) return true;
    auto* const t = new resolver_thread;
    sched.helper_threads.fetch_add(1, std::memory_order_relaxed);
    if (start_thread(t->handle, resolver_main, t)) {
        sched.helper_threads.fetch_sub(1, std::memory_order_relaxed);
        delete t;
        return s.thread_count != 0;
    }
    t->next = std::exchange(s.running, t);
    ++s.thread_count;
    return true;
}

// The lookup of a name: the one under way, or another. Null: there is no thread for it.
std::shared_ptr<lookup> look_up(const std::string& name) {
    resolver_state& s = state();
    join_ended(s);
    call_at_stop(at_stop);
    std::shared_ptr<lookup> job;
    {
        const std::lock_guard hold(s.lock);
        if (const auto it = s.flying.find(name); it != s.flying.end()) return it->second;
        job = std::make_shared<lookup>();
        job->name = name;
        job->by = s.by;
        s.waiting.push_back(job);
        if (!need_thread_locked(s)) {
            s.waiting.pop_back();
            return nullptr;
        }
        s.flying.emplace(name, job);
        s.bell.fetch_add(1, std::memory_order_release);
    }
    futex_wake(s.bell);
    return job;
}

// Whether it is done; false when the time has passed.
bool await(lookup& job, std::int64_t deadline) {
    resolver_state& s = state();
    waiting wait(cancellation::honoured, wait_kind::resolve, nullptr);
    waiter me{wait.ticket()};
    {
        const std::lock_guard hold(s.lock);
        if (job.done) {
            wait.abandon();
            return true;
        }
        job.waiters.push(me);
    }
    begin_outside_wait();
    wake_reason why = wake_reason::none;
    try {
        why = finish_in_list(wait, deadline, [&] {
            const std::lock_guard hold(s.lock);
            job.waiters.remove(me);
        });
    } catch (...) {
        end_outside_wait();
        throw;
    }
    end_outside_wait();
    return wait_succeeded(why);
}

}  // namespace

std::vector<net::endpoint> resolve_name(const std::string& name, std::int64_t deadline,
                                        std::error_code& ec) {
    socket_address numeric;
    if (numeric_address(name, 0, numeric)) {
        ec.clear();
        return {net_access::endpoint_of(numeric)};
    }
    const std::shared_ptr<lookup> job = look_up(name);
    if (job == nullptr) {
        ec = error_of(-EAGAIN);
        return {};
    }
    if (!await(*job, deadline)) {
        ec = std::make_error_code(std::errc::timed_out);
        return {};
    }
    ec = job->error;
    addresses found = job->found;  // Nobody changes it any more.
    if (!ec) interleave(found);
    return found;
}

}  // namespace weft::detail

namespace weft::net {

const std::error_category& resolver_category() noexcept {
    static const detail::category_of_names it;
    return it;
}

void set_resolver(std::function<std::vector<endpoint>(std::string_view)> resolver) {
    auto next = resolver ? std::make_shared<const detail::hook>(std::move(resolver)) : nullptr;
    detail::resolver_state& s = detail::state();
    {
        const std::lock_guard hold(s.lock);
        s.by.swap(next);
        s.flying.clear();  // Those who ask from now on ask the new one.
    }
}

std::vector<endpoint> resolve(std::string_view host, const resolve_options& options,
                              std::error_code& ec) {
    detail::enter_io();
    if (host.empty() || host.find('\0') != host.npos) {
        ec = std::make_error_code(std::errc::invalid_argument);
        return {};
    }
    std::vector<endpoint> all =
        detail::resolve_name(std::string(host), detail::deadline_in(options.timeout), ec);
    if (ec || options.version == ip_version::any) return all;
    const int family = options.version == ip_version::v4 ? AF_INET : AF_INET6;
    std::erase_if(all,
                  [&](const endpoint& e) { return detail::net_access::family_of(e) != family; });
    if (all.empty()) ec = std::error_code(EAI_NONAME, resolver_category());
    return all;
}

std::vector<endpoint> resolve(std::string_view host, const resolve_options& options) {
    std::error_code ec;
    std::vector<endpoint> all = resolve(host, options, ec);
    if (ec) detail::throw_error(ec, "weft: net::resolve");
    return all;
}

}  // namespace weft::net
