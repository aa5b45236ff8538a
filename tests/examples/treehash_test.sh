#!/usr/bin/env bash
# treehash from outside: one case for each promise of its usage text.
#   treehash_test.sh TREEHASH CASE
# Ends with 77 when the machine has not got what the case needs.
set -euo pipefail

treehash=$1
work=$(mktemp -d)
trap 'chmod -R u+rwX "$work" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for file in out err; do
        [[ ! -s $file ]] || { printf -- '--- %s\n' "$file"; cat -v "$file"; } >&2
    done
    exit 1
}

# run STATUS ARGUMENT...: out, err and digest are what it printed; it must end with STATUS.
run() {
    local wanted=$1 status=0
    shift
    timeout 100 "$treehash" "$@" >out 2>err </dev/null || status=$?
    ((status == wanted)) || fail "treehash $* ended with $status, not $wanted"
    digest=$(sed -n 's/^digest //p' out)
}

# report: what the last run found, in one piece; the time it took aside.
report() {
    grep -v '^seconds ' out
    cat err
}

# agrees STATUS DIR: every way to walk finds the same, and errors are the same lines.
agrees() {
    local wanted expected way
    run "$1" "$2" --sequential
    wanted=$1
    expected=$(report)
    for way in '' '--open 1' '--open 2' '--open 3' '--open 64' '--open 1000' '--quiet' ''; do
        # shellcheck disable=SC2086
        run "$wanted" "$2" $way
        [[ "$(report)" == "$expected" ]] || fail "'$way' differs from --sequential: $expected"
    done
}

# value KEY: what the last run printed behind KEY.
value() { awk -v key="$1" '$1 == key { print $2 }' out; }

expect_value() { [[ "$(value "$1")" == "$2" ]] || fail "$1 is $(value "$1"), not $2"; }

# make_tree DIR: all that a tree can have in it, and no errors.
make_tree() {
    mkdir -p "$1/many" "$1/wide" "$1/empty" "$1/few/files/in/each"
    local i
    for ((i = 0; i != 300; ++i)); do
        printf 'file %d\n' "$i" >"$1/many/$i.txt"
        mkdir "$1/wide/$i"
        printf '%d' "$i" >"$1/wide/$i/one"
    done
    : >"$1/many/nothing in it"
    printf 'deep' >"$1/few/files/in/each/leaf"
    for i in large other; do head -c 3000000 /dev/zero | tr '\0' "${i:0:1}" >"$1/many/$i"; done
    head -c 20000000 /dev/zero >"$1/huge"
    for i in 131071 131072 131073 1048576 1048577; do head -c "$i" /dev/zero >"$1/few/$i"; done
    mkfifo "$1/fifo"
    ln -s many/1.txt "$1/link"
    ln -s many "$1/link to a directory"
    ln -s .. "$1/few/up"
    ln -s 'nowhere at all' "$1/dangling"
    printf 'x' >"$1/"$'name with\nnewline and \e[31mcolour'
    printf 'y' >"$1/"$'not utf-8: \xff\xfe'
    printf 'z' >"$1/größe"
}

# What make_tree makes is 300 + 300 small files, the empty one, the leaf, 2 large ones, the huge one, 5
# with sizes at the edge of the buffer or of what is small, and 3 odd names.
files_of_tree=613

# make_deep DIR COUNT NAME: directories in each other, beyond what one path can name.
make_deep() {
    mkdir -p "$1"
    (
        cd "$1"
        local i
        for ((i = 0; i != $2; ++i)); do
            mkdir "$3"
            cd "./$3"
            printf '%d' "$i" >leaf
        done
    )
}

case_walks_agree() {
    make_tree tree
    agrees 0 tree
    expect_value files "$files_of_tree"
    expect_value bytes "$(find tree -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')"
    expect_value errors 0
    [[ "$digest" =~ ^[0-9a-f]{32}$ ]] || fail "that is no digest"
    [[ "$(value seconds)" =~ ^[0-9]+\.[0-9]+$ ]] || fail "that is no time"
    [[ ! -s err ]] || fail "nobody watches, but something was said"
}

case_walks_agree_on_deep_trees() {
    make_deep deep 200 d
    agrees 0 deep
    expect_value files 200
}

case_walks_agree_on_paths_longer_than_the_system_takes() {
    make_deep deep 60 "$(printf 'n%.0s' {1..200})"
    agrees 0 deep
    expect_value files 60
}

case_empty_tree() {
    mkdir empty
    agrees 0 empty
    expect_value files 0
    expect_value bytes 0
}

# The value must not change with a version of weft: people keep digests.
case_digest_is_the_known_one() {
    mkdir -p tree/sub
    printf 'hello\n' >tree/file
    printf '' >tree/sub/empty
    ln -s file tree/link
    mkfifo tree/fifo
    run 0 tree
    [[ "$digest" == 215bcda66e05aff23039b57601461c7c ]] || fail "the digest is now $digest"
}

case_digest_depends_on_content_only() {
    make_tree tree
    run 0 tree
    local before=$digest
    # The same again, made in another order, elsewhere, at another time, by way of a link.
    mkdir -p elsewhere/copy
    (cd tree && find . -mindepth 1 -print0 | sort -zr | tar c --null --no-recursion -T -) | tar x -C elsewhere/copy
    find elsewhere -exec touch -hd 2001-01-01 {} +
    ln -s elsewhere/copy by_link
    run 0 by_link
    [[ "$digest" == "$before" ]] || fail "a copy has another digest"
    run 0 elsewhere/copy/
    [[ "$digest" == "$before" ]] || fail "a slash at the end makes a difference"
    run 0 tree/many/..
    [[ "$digest" == "$before" ]] || fail "the name of the top makes a difference"
}

# changes COMMAND...: the digest must change by it.
changes() {
    local before=$digest
    "$@"
    run 0 tree
    [[ "$digest" != "$before" ]] || fail "the digest has not noticed: $*"
}
overwrite() { printf '%b' "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc status=none; }

case_digest_notices_every_change() {
    make_tree tree
    run 0 tree
    changes overwrite tree/many/7.txt 'F' 0
    changes overwrite tree/huge '\1' 19999999
    changes overwrite tree/many/large 'L' 1500000
    changes truncate -s 19999999 tree/huge
    changes mv tree/many/8.txt tree/many/8.text
    changes mv tree/wide/8/one tree/wide/9/two
    changes mv tree/empty tree/still_empty
    changes mv tree/fifo tree/fifo2
    changes ln -sfn many/2.txt tree/link
    changes rm tree/dangling
    changes touch tree/few/new
    changes mkdir tree/few/directory
    changes rm tree/fifo2
    # Two files that change places.
    changes eval 'mv tree/many/1.txt t && mv tree/many/2.txt tree/many/1.txt && mv t tree/many/2.txt'
    # A file whose content is a link's target is not that link.
    changes eval 'rm tree/link && printf many/2.txt >tree/link'
    changes eval 'rm tree/link && mkdir tree/link'
}

case_unreadable_files_are_reported() {
    make_tree tree
    mkdir -p tree/closed/inside
    chmod 0 tree/many/5.txt tree/wide/1/one tree/closed
    if [[ -r tree/many/5.txt ]]; then  # Root reads everything: become somebody else.
        command -v setpriv >/dev/null || exit 77
        local as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
        cp "$treehash" ./treehash
        treehash=$work/treehash
        chmod 755 "$work" treehash
        "${as_nobody[@]}" "$treehash" --help >/dev/null 2>&1 || exit 77
        printf '#!/bin/sh\nexec %s %s "$@"\n' "${as_nobody[*]}" "$treehash" >run_as_nobody
        chmod 755 run_as_nobody
        treehash=$work/run_as_nobody
    fi
    agrees 3 tree
    expect_value errors 3
    expect_value files $((files_of_tree - 2))
    printf 'treehash: tree/%s: Permission denied\n' closed many/5.txt wide/1/one >wanted
    cmp -s wanted err || fail "that is not what is wrong"
    # The names of what was not read are in the digest.
    run 3 tree
    local before=$digest
    mv tree/many/5.txt tree/many/5.text
    run 3 tree
    [[ "$digest" != "$before" ]] || fail "a file that cannot be read was renamed, and nobody noticed"
}

case_loops_of_links_are_reported() {
    make_tree tree
    ln -s itself tree/itself
    ln -s b tree/many/a
    ln -s ../many/a tree/many/b
    ln -s ../many/b/further tree/empty/through
    printf -v odd 'bad\n\033[2J\\\xff'
    ln -s "$odd" "tree/$odd"
    agrees 3 tree
    expect_value errors 5
    expect_value files "$files_of_tree"
    printf 'treehash: tree/%s: Too many levels of symbolic links\n' 'bad\n\x1b[2J\\\xff' \
        empty/through itself many/a many/b >wanted
    cmp -s wanted err || fail "that is not what is wrong"
}

case_changing_trees_hang_nobody() {
    mkdir -p tree/sub
    (
        trap 'exit 0' TERM
        i=0
        while :; do
            i=$((i + 1))
            for name in tree/a tree/sub/b tree/sub/c; do
                rm -rf "$name"
                case $(((i + ${#name}) % 5)) in
                0) printf '%d' "$i" >"$name" ;;
                1) mkfifo "$name" ;;
                2) ln -s "${name##*/}" "$name" ;;
                3) mkdir "$name" && printf '1' >"$name/file" ;;
                4) ;;
                esac
            done
        done
    ) &
    local changer=$! i status
    for ((i = 0; i != 200; ++i)); do
        status=0
        timeout 60 "$treehash" tree >out 2>err </dev/null || status=$?
        ((status == 0 || status == 3)) || { kill "$changer"; fail "ended with $status"; }
        ((status == 0)) || grep -q '^treehash: tree/' err || { kill "$changer"; fail "3, but why?"; }
    done
    kill "$changer"
    wait "$changer" || true
}

case_few_descriptors_are_enough() {
    make_tree tree
    run 0 tree
    local before=$digest
    ulimit -n 30
    run 0 tree
    [[ "$digest" == "$before" ]] || fail "the digest depends on how many files may be open"
}

case_status_1_when_dir_cannot_be_opened() {
    run 1 not/there
    grep -q 'not/there: No such file or directory' err || fail "not clear"
    : >file
    run 1 file
    grep -q 'file: Not a directory' err || fail "not clear"
    ln -s loop loop
    run 1 loop --sequential
    grep -q 'loop: Too many levels of symbolic links' err || fail "not clear"
    [[ ! -s out ]] || fail "there is no digest to print"
}

case_status_1_when_the_result_is_lost() {
    [[ -w /dev/full ]] || exit 77
    local status=0
    mkdir tree
    "$treehash" tree >/dev/full 2>err || status=$?
    ((status == 1)) || fail "ended with $status, not 1"
    grep -q 'No space left on device' err || fail "not clear"
}

case_status_2_when_called_wrongly() {
    mkdir tree -- -tree
    run 2
    grep -q '^usage: treehash DIR' err || fail "no usage"
    run 2 tree tree
    run 2 tree --opne 3
    grep -q -- "'--opne'" err || fail "does not say what is wrong"
    local number
    for number in '' 0 -1 x 3x 99999999999; do
        run 2 tree --open "$number"
        grep -q -- '--open wants a number' err || fail "not clear"
    done
    run 2 tree --open
    [[ ! -s out ]] || fail "usage errors belong on stderr"
    run 0 --help
    grep -q -- '--sequential' out || fail "no help"
    run 0 --sequential -- -tree
    run 2 -tree
}

case_progress_is_for_terminals() {
    command -v script >/dev/null || exit 77
    make_tree tree
    script -qec "$treehash tree" /dev/null >out 2>err </dev/null || fail "no terminal"
    grep -q $'\r\033\[K' out || fail "the line is not erased"
    # What a terminal shows: what stood before the erasing is gone.
    sed -i 's/\r\x1b\[K/\n/g; s/\r$//' out
    grep -q '^digest [0-9a-f]*$' out || fail "no digest"
    script -qec "$treehash tree --quiet" /dev/null >out 2>err </dev/null || fail "no terminal"
    ! grep -q $'\033' out || fail "not quiet"
}

"case_$2"
