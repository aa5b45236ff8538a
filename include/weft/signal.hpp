// Signals of the system as values of a channel.
//
//     weft::receiver<int> ends = weft::signal_channel({SIGTERM, SIGINT});
//     weft::select(weft::on_recv(ends, [&](std::optional<int>) { listener.close(); }), ...);
#pragma once

#include <weft/chan.hpp>

#include <initializer_list>

namespace weft {

/// Each of these signals that comes from now on, once to every such receiver. One that comes again while it has not been received is merged with that; none
/// is forgotten. While any such receiver of a signal lives it does not do what it does otherwise; with the last one that is put back, and so it is when the
/// runtime ends. Meanwhile nothing counts as a deadlock. std::invalid_argument: none is named, or one that can't be caught (SIGKILL, SIGSTOP) or that is
/// a fault of the thread itself. std::logic_error without a runtime, and in a simulation.
[[nodiscard]] receiver<int> signal_channel(std::initializer_list<int> signals);

}  // namespace weft
