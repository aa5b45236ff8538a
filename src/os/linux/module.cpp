#include "os/module.hpp"

#include <dlfcn.h>
#include <link.h>

namespace weft::detail {

module_place find_module(std::uintptr_t address) noexcept {
    Dl_info info{};
    link_map* map = nullptr;
    if (::dladdr1(reinterpret_cast<void*>(address), &info, reinterpret_cast<void**>(&map),
                  RTLD_DL_LINKMAP) == 0) {
        return {};
    }
    module_place place;
    place.file = info.dli_fname;
    place.address = map == nullptr ? address : address - map->l_addr;
    place.symbol = info.dli_sname;
    place.symbol_start = reinterpret_cast<std::uintptr_t>(info.dli_saddr);
    return place;
}

}  // namespace weft::detail
