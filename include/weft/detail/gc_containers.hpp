// The containers of weft/gc.hpp.
#pragma once

#include <weft/detail/gc_deque.hpp>
#include <weft/detail/gc_hash_table.hpp>
#include <weft/detail/gc_list.hpp>
#include <weft/detail/gc_map.hpp>
#include <weft/detail/gc_string.hpp>
#include <weft/detail/gc_vector.hpp>
#include <weft/version.hpp>
