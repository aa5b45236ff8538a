#!/usr/bin/env bash
# go_port_test.sh GO_PORT CASE
# Ends with 77 when the machine has not got what the case needs.
set -euo pipefail

go_port=$1
source=$(cd "$(dirname "$0")/../../examples" && pwd)/go_port.go

expected='/          start, 3 links
/archive   no answer
/looms     looms, 2 links
/missing   not found
/shuttles  shuttles, 1 links
/weaving   weaving, 3 links'

case_finds_every_page() { diff - <(timeout 100 "$go_port") <<<"$expected"; }

case_go_prints_the_same() {
    command -v go >/dev/null || exit 77
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    [[ -n ${HOME-} ]] || export GOCACHE=$work/cache
    GOTOOLCHAIN=local GO111MODULE=off timeout 200 go build -o "$work/go_port" "$source"
    diff - <(timeout 100 "$work/go_port") <<<"$expected"
}

"case_$2"
