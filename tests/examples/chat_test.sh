#!/usr/bin/env bash
# chat_test.sh CHAT CASE
set -euo pipefail

chat=$1

# Alice has read everything, bob has lost what he had no room for, carol was dropped; both still read what
# had reached them.
case_slow_members_hold_up_nobody() {
    diff - <(timeout 100 "$chat") <<'END'
bob has lost 5 messages
alice reads  bob is here
alice reads  carol is here
alice reads  alice: good morning
alice reads  carol: hello
alice reads  alice: has anybody seen dave?
alice reads  carol was too slow
bob reads  carol is here
bob reads  alice: good morning
carol reads  alice: good morning
carol reads  carol: hello
END
}

"case_$2"
