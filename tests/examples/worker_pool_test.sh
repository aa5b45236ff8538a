#!/usr/bin/env bash
# worker_pool_test.sh WORKER_POOL CASE
set -euo pipefail

worker_pool=$1

case_loses_no_job_whether_drained_or_cancelled() {
    local procs
    for procs in 1 2 8; do
        diff - <(WEFT_PROCS=$procs timeout 100 "$worker_pool") <<'END'
drained: 1000 done, 59542 steps
cancelled: all done or handed back
END
    done
}

"case_$2"
