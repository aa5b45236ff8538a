// Names to addresses: by getaddrinfo(), which blocks for as long as a name server likes.
//
// So it runs on threads of the resolver's own, 64 at most, and not on those of blocking(): a hundred lookups that hang must not keep files from
// being read. A lookup belongs to no caller: several who ask for the same name share one, and each may leave when its time is up or it is
// cancelled. At the end of a runtime those that still hang are waited for within the grace, and then left behind.
#pragma once

#include <weft/net.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace weft::detail {

/// The addresses, at least one unless `ec` is set. Parks.
[[nodiscard]] std::vector<net::endpoint> resolve_name(const std::string& name,
                                                      std::int64_t deadline, std::error_code& ec);

}  // namespace weft::detail
