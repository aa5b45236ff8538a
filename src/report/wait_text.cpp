#include "report/wait_text.hpp"

#include "base/print.hpp"

namespace weft::detail {
namespace {

void print_holder(printer& out, const snapshot& all, const coroutine_record& r) noexcept {
    const std::string_view what = r.kind == wait_kind::once ? ", being run by " : ", held by ";
    switch (r.holder) {
    case holder_kind::none:
        return;
    case holder_kind::coroutine:
        out << what;
        print_id(out, all, r.holder_is);
        return;
    case holder_kind::ended:
        out << what << "a coroutine that has ended";
        return;
    case holder_kind::thread:
        out << what << "a thread outside of coroutines";
        return;
    case holder_kind::readers:
        out << ", shared by " << r.holder_is << (r.holder_is == 1 ? " reader" : " readers");
        return;
    }
}

void print_cases(printer& out, const snapshot& all, const coroutine_record& r) noexcept {
    const auto cases = all.cases(r);
    if (cases.empty()) {
        out << " of no channel";
        return;
    }
    std::string_view before = " of ";
    for (const waited_case& one : cases) {
        out << before;
        out.hex(reinterpret_cast<std::uintptr_t>(one.channel));
        out << (one.sends ? " (send)" : " (receive)");
        before = ", ";
    }
    if (r.case_count > cases.size()) out << " and " << r.case_count - cases.size() << " more";
}

}  // namespace

void print_id(printer& out, const snapshot& all, std::uint64_t id) noexcept {
    out << "coroutine " << id;
    const coroutine_record* const r = all.find(id);
    if (r != nullptr && r->name_size != 0) out << " '" << all.name(*r) << "'";
}

void print_wait(printer& out, const snapshot& all, const coroutine_record& r,
                bool with_object) noexcept {
    if (r.kind == wait_kind::other) {
        out << "parked";
        return;
    }
    out << name_of(r.kind);
    if (!with_object) return;
    if (r.joined != 0) {
        out << " of ";
        print_id(out, all, r.joined);
    } else if (r.kind == wait_kind::select) {
        print_cases(out, all, r);
    } else if (r.object != nullptr) {
        out << " ";
        out.hex(reinterpret_cast<std::uintptr_t>(r.object));
        print_holder(out, all, r);
    }
}

void print_duration(printer& out, std::string_view before, std::int64_t ns) noexcept {
    const std::int64_t seconds = ns / 1'000'000'000;
    if (seconds < 1) return;
    out << before;
    if (seconds < 120) {
        out << seconds << " s";
    } else {
        out << seconds / 60 << " minutes";
    }
}

std::string_view operation_of(const coroutine_record& r) noexcept {
    if (r.status != co_status::waiting) return "";
    switch (r.kind) {
    case wait_kind::sleep:
        return "weft::sleep_for()";
    case wait_kind::join:
        return "weft::join_handle::join()";
    case wait_kind::scope_join:
        return "weft::scope::join()";
    case wait_kind::scope_place:
        return "weft::scope::go()";
    case wait_kind::chan_send:
        return "weft::chan::send()";
    case wait_kind::chan_recv:
        return "weft::chan::recv()";
    case wait_kind::select:
        return "weft::select()";
    case wait_kind::mutex:
        return "weft::mutex::lock()";
    case wait_kind::shared_mutex:
        return "weft::shared_mutex::lock()";
    case wait_kind::condition:
        return "weft::condition_variable::wait()";
    case wait_kind::semaphore:
        return "weft::counting_semaphore::acquire()";
    case wait_kind::latch:
        return "weft::latch::wait()";
    case wait_kind::barrier:
        return "weft::barrier::wait()";
    case wait_kind::wait_group:
        return "weft::wait_group::wait()";
    case wait_kind::once:
        return "weft::call_once()";
    case wait_kind::io_read:
        return "weft::net::conn::read()";
    case wait_kind::io_write:
        return "weft::net::conn::write()";
    case wait_kind::io_accept:
        return "weft::net::listener::accept()";
    case wait_kind::io_connect:
    case wait_kind::resolve:
        return "weft::net::dial()";
    case wait_kind::io_ready:
        return "weft::net::wait_readable()";
    default:
        return "";
    }
}

}  // namespace weft::detail
