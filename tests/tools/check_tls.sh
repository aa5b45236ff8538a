#!/usr/bin/env bash
# Reads the library's object code for thread-local state kept across a switch of stacks. Run by ctest as
# `tls_hazards`.
#   tests/tools/check_tls.sh LIBRARY ALLOWED
#
# A coroutine may leave a switch on another thread than the one it entered on. The compiler does not
# know: it keeps the address of a thread-local, or what __errno_location and __cxa_get_globals returned
# (both are declared const), across the call. So, function by function:
#
#   switch    a function that jumps to another stack touches none of them
#   allowed   any other function that does is named in ALLOWED: someone has looked at it
#
# ALLOWED holds one extended regular expression a line (# starts a comment), matched against
# "object.cpp.o: demangled name". A line that matches nothing is reported too: the list shrinks with the
# code. References to weft_thread_block are exempt: that is the accessor, a volatile load from %fs,
# which is made anew each time.
set -euo pipefail

library=$1
allowed=$2
for tool in objdump c++filt awk; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not on this machine"
        exit 77
    fi
done

# One line of tabbed fields for each function: object, mangled name, 1 when it jumps, what it touches.
# A cold part is its function: the compiler moved it, the source did not.
functions() {
    objdump -dr --no-show-raw-insn "$library" | awk '
        function flush() {
            if (name != "") {
                key = object " " name
                if (!(key in touches)) { order[++count] = key; touches[key] = ""; jumps[key] = 0 }
                jumps[key] = jumps[key] || jump
                touches[key] = touches[key] touch
            }
            jump = 0; touch = ""
        }
        / file format /     { flush(); name = ""; object = $1; sub(/:$/, "", object); next }
        /^[0-9a-f]+ <.*>:$/ { flush(); name = $2; sub(/^</, "", name); sub(/>:$/, "", name); sub(/\.cold(\.[0-9]+)?$/, "", name); next }
        /R_[A-Z0-9_]+/ {
            match($0, /R_[A-Z0-9_]+/)
            kind = substr($0, RSTART, RLENGTH)
            symbol = $NF
            sub(/[-+]0x[0-9a-f]+$/, "", symbol)
            if (symbol == "weft_thread_block") next
            if (symbol == "jump_fcontext" || symbol == "ontop_fcontext") jump = 1
            if (symbol == "__errno_location" || symbol == "__cxa_get_globals" || symbol == "__cxa_get_globals_fast" ||
                kind ~ /TPOFF|TLS|TPREL|DTPREL|DTPMOD/) {
                item = symbol
                if (index(touch " ", " " item " ") == 0) touch = touch " " item
            }
        }
        END {
            flush()
            for (i = 1; i <= count; ++i) {
                split(order[i], part, " ")
                if (jumps[order[i]] || touches[order[i]] != "")
                    print part[1] "\t" part[2] "\t" jumps[order[i]] + 0 "\t" touches[order[i]]
            }
        }'
}

functions | c++filt | awk -F '\t' -v allowed="$allowed" '
    BEGIN {
        while ((getline line < allowed) > 0) {
            sub(/[ \t]*#.*$/, "", line)
            if (line != "") expressions[++known] = line
        }
    }
    {
        subject = $1 ": " $2
        switches += $3
        if ($4 == "") next
        ++touching
        if ($3) {
            print "switch: " subject " jumps and touches" $4
            ++faults
            next
        }
        fine = 0
        for (i = 1; i <= known; ++i)
            if (subject ~ expressions[i]) { fine = 1; used[i] = 1 }
        if (!fine) {
            print "not allowed: " subject " touches" $4
            ++faults
        }
    }
    END {
        if (!switches) {
            print "no function jumps: has the switch another name now?"
            ++faults
        }
        for (i = 1; i <= known; ++i)
            if (!(i in used)) print "unused: the list allows /" expressions[i] "/, which no function matches"
        print "tls: " switches + 0 " functions switch stacks, " touching + 0 " touch thread-local state, " faults + 0 " faults"
        exit faults > 0
    }'
