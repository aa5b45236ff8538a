#!/usr/bin/env bash
# Does scripts/version-check see what it is there for? Run by ctest as `api.sees`.
#   tests/tools/check_version_check.sh SOURCE_DIR WORK_DIR [LIBRARY COMPILER]
#
# Breaks a copy of the checkout in one way after the other, and looks for the difference by its name and for the
# version that it needs. With a LIBRARY that was built with -g it breaks symbols and layouts too.
set -euo pipefail

source=$1
work=$2
library=${3:-}
compiler=${4:-g++}
if ! command -v python3 >/dev/null; then
    echo "skipped: python3 is not on this machine"
    exit 77
fi

copy=$work/copy
mkdir -p "$work"
# The copy is no checkout, and must not be taken for a part of this one.
GIT_CEILING_DIRECTORIES=$(realpath "$work")
export GIT_CEILING_DIRECTORIES
failed=0
fresh() {
    rm -rf "$copy"
    mkdir -p "$copy/tests"
    cp -r "$source/include" "$source/scripts" "$source/packaging" "$source/CMakeLists.txt" "$copy"
    cp -r "$source/tests/api_kept" "$copy/tests"
    # As if the version had been released, because until then every difference has one answer.
    sed -i 's/^state .*/state released/' "$copy"/packaging/abi/*.kept
}

# sees WHAT FILE SED_COMMAND STATUS PATTERN [ARGUMENT...]: after the edit version-check ends with STATUS and says PATTERN.
sees() {
    local what=$1 file=$2 edit=$3 wanted=$4 pattern=$5 status=0
    shift 5
    fresh
    if [[ -n "$file" ]]; then
        sed -i -E "$edit" "$copy/$file"
        if cmp -s "$source/$file" "$copy/$file"; then
            echo "FAILED  $what: the edit changes nothing in $file" >&2
            failed=1
            return
        fi
    fi
    "$copy/scripts/version-check" "${@:---declarations}" >"$work/output" 2>&1 || status=$?
    if ((status == 77)); then
        echo "skipped $what: $(tail -n 1 "$work/output")"
    elif ((status == wanted)) && grep -E -e "$pattern" "$work/output" >/dev/null; then
        echo "ok      $what: $(grep -E -e "$pattern" "$work/output" | head -n 1)"
    else
        echo "FAILED  $what: status $status and not $wanted, or no line like '$pattern' in" >&2
        sed 's/^/        /' "$work/output" >&2
        failed=1
    fi
}

sees "an unchanged copy" "" "" 0 'difference: none'
sees "other formatting" include/weft/version.hpp 's/version library_version\(\) noexcept/version  \/* or so *\/\n  library_version( )noexcept/' 0 'difference: none'
sees "another name of a parameter" include/weft/go.hpp 's/set_name\(std::string_view name\)/set_name(std::string_view text)/' \
    0 'difference: none'
sees "another name of a template parameter" include/weft/go.hpp '/^template <class T>$/{s/T>/Result>/;N;s/T await\(std::future<T>/Result await(std::future<Result>/}' \
    0 'difference: none'
sees "a function that is gone" include/weft/go.hpp '/^void yield\(\);/d' 1 'weft::yield: removed: void yield\(\)'
sees "the version for it" include/weft/go.hpp '/^void yield\(\);/d' 1 'needs minor: the next version is 0\.2\.0'
sees "a member of a template with another name" include/weft/chan.hpp 's/bool try_send\(T&& value\) const/bool attempt(T\&\& value) const/' \
    1 'weft::chan::try_send: removed: bool try_send\(.2&&\) const'
sees "an inherited member that is gone" include/weft/detail/channel_handle.hpp '/size_t capacity\(\) const/d' \
    1 'weft::receiver::capacity: removed'
sees "another type of a parameter" include/weft/go.hpp 's/set_affinity_hint\(unsigned /set_affinity_hint(int /' \
    1 'weft::set_affinity_hint: changed'
sees "another default of an option" include/weft/runtime.hpp 's/max_blocking = 1024/max_blocking = 512/' \
    1 'weft::options::max_blocking: changed'
sees "an option in another place" include/weft/runtime.hpp 's/^    bool pin = false;/    int more = 0;\n    bool pin = false;/' \
    1 'weft::options::pin: changed'
sees "a narrower constraint" include/weft/time.hpp 's/requires\(std::is_invocable_v</requires(std::is_nothrow_invocable_v</' \
    1 'weft::timer::timer: changed'
sees "a default argument that is gone" include/weft/sync/latch.hpp 's/void count_down\(std::ptrdiff_t n = 1\)/void count_down(std::ptrdiff_t n)/' \
    1 'weft::latch::count_down: changed'
sees "noexcept that is gone" include/weft/go.hpp 's/^(\[\[nodiscard\]\] id get_id\(\)) noexcept;/\1;/' 1 'weft::get_id: no longer noexcept'
sees "a constructor that became explicit" include/weft/runtime.hpp 's/^    \[\[nodiscard\]\] runtime\(const options/    [[nodiscard]] explicit runtime(const options/' \
    1 'weft::runtime::runtime: now explicit'
sees "an enumerator that is gone" include/weft/detail/channel_core.hpp '/^    timeout,/d' 1 'weft::chan_status::timeout: removed'
sees "a function more" include/weft/go.hpp 's/^void yield\(\);/&\nvoid yield_to(id other);/' 1 'needs patch: the next version is 0\.1\.1'
sees "an overload more" include/weft/go.hpp 's/^void yield\(\);/&\nvoid yield(int times);/' 1 'added beside others of that name'
sees "a member that is private now" include/weft/select.hpp 's/^    bool empty\(\)|^    \[\[nodiscard\]\] bool empty/private:\n&/' \
    1 'weft::select_set::empty: removed'
sees "a change that detail keeps to itself" include/weft/detail/timed.hpp 's/^namespace weft::detail \{/&\nvoid more();/' 0 'difference: none'

# What project(VERSION) provides for.
fresh
sed -i '/^void yield();/d' "$copy/include/weft/go.hpp"
sed -i 's/^project(weft VERSION [0-9.]*/project(weft VERSION 0.2.0/' "$copy/CMakeLists.txt"
if "$copy/scripts/version-check" --declarations >"$work/output" 2>&1; then
    echo "ok      the next minor version: $(tail -n 1 "$work/output")"
else
    echo "FAILED  the next minor version may break:" >&2
    cat "$work/output" >&2
    failed=1
fi

sees "a kept program that was edited" tests/api_kept/0.1/locks.cpp 's/3/4/' 1 'files kept of 0\.1\.0 were changed'
sees "kept files that would be written again" "" "" 2 'never changes again' --keep

if [[ -n "$library" ]]; then
    layouts=(--abi --library "$library" --compiler "$compiler")
    sees "the same layouts" "" "" 0 'symbols and layouts: same' "${layouts[@]}"
    sees "a struct that grew" include/weft/runtime.hpp 's/^    bool pin = false;/&\n    long more = 0;/' \
        1 "data member insertion|'long int more'" "${layouts[@]}"
    sees "a class whose private part grew" include/weft/sync/mutex.hpp 's/^    wait_list queue_;/&\n    long more_[2] = {};/' \
        1 "needs minor: the next version is 0\.2\.0" "${layouts[@]}"
    sees "a type that is gone" include/weft/sync/latch.hpp 's/^class wait_group \{/class waiting_group {/;s/ wait_group\(/ waiting_group(/' \
        1 'a public type of 0\.1\.0 is not there any more' "${layouts[@]}"
    # The library without one of its functions.
    cp "$library" "$work/less.a"
    objcopy --localize-symbol=_ZN4weft5yieldEv "$work/less.a"
    sees "a function that the library lacks" "" "" 1 "function void weft::yield\(\)" --abi --library "$work/less.a" --compiler "$compiler"
fi
exit "$failed"
