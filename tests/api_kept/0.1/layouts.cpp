// One function for every public type, so that the library's description holds the layout of each: those that
// no function of libweft names would be missing. Compiled with -g, never called. See docs/internals/compatibility.md.

#include <weft/weft.hpp>

namespace weft_layouts {

// Templates are instantiated, and so described, only where their size matters.
template <class... Types>
inline constexpr bool complete = (... && (sizeof(Types) > 0));
static_assert(complete<weft::join_handle<int>, weft::join_handle<void>, weft::local<int>,
                       weft::chan<int>, weft::chan<void>, weft::sender<int>, weft::receiver<int>,
                       weft::counting_semaphore<>, weft::binary_semaphore, weft::barrier<>>);

void runtime(weft::options&, weft::runtime_stats&, weft::runtime&, weft::version&, weft::call_site&,
             weft::deadlock_action&) {}
void coroutines(weft::id&, weft::spawn_options&, weft::join_handle<int>&, weft::join_handle<void>&,
                weft::no_preempt&, weft::no_cancel&, weft::thread_lock&, weft::local<int>&,
                weft::inheritance&) {}
void scopes(weft::scope&, weft::scope_options&) {}
void channels(weft::chan<int>&, weft::chan<void>&, weft::sender<int>&, weft::receiver<int>&,
              weft::chan_status&, weft::select_set&) {}
void times(weft::clock&, weft::timer&, weft::ticker&) {}
void locks(weft::mutex&, weft::timed_mutex&, weft::recursive_mutex&, weft::recursive_timed_mutex&,
           weft::shared_mutex&, weft::condition_variable&, weft::once_flag&) {}
void counters(weft::counting_semaphore<>&, weft::binary_semaphore&, weft::latch&, weft::wait_group&,
              weft::barrier<>&, weft::barrier<>::arrival_token&) {}
void network(weft::net::endpoint&, weft::net::buffer&, weft::net::conn&, weft::net::listener&,
             weft::net::packet_conn&, weft::net::datagram&, weft::net::credentials&) {}
void network_options(weft::net::listen_options&, weft::net::dial_options&,
                     weft::net::resolve_options&, weft::net::ip_version&) {}
void exceptions(weft::cancelled&, weft::coroutine_cancelled&, weft::timed_out&, weft::deadlock&,
                weft::channel_closed&, weft::testing::failure&) {}

}  // namespace weft_layouts
