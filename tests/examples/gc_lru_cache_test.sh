#!/usr/bin/env bash
# gc_lru_cache_test.sh GC_LRU_CACHE CASE
set -euo pipefail

lru_cache=$1

case_keeps_what_is_used_and_nothing_else() {
    diff - <(timeout 100 "$lru_cache") <<'END'
1000 pictures: 1000 loads
the last 10 again: 1000 loads
the one in use: the same, 100 loads
of 1100 pictures there are few left
picture-7, 65536 bytes
END
}

"case_$2"
