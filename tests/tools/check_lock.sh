#!/usr/bin/env bash
# Are the versions that CMake found among those that packaging/lock.txt calls tested? Run by ctest as `lock`.
#   tests/tools/check_lock.sh LOCK VERSIONS_COMMAND...
# VERSIONS_COMMAND prints `name version`, as packaging/versions does. Skipped (exit status 77) where there is no dpkg:
# the lock names Debian packages, and other systems bring other versions.
set -euo pipefail

lock=$1
shift
if ! command -v dpkg-query >/dev/null; then
    echo "skipped: there is no dpkg on this machine, and packaging/lock.txt locks Debian packages"
    exit 77
fi
# at_least VERSION MINIMUM
at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

declare -A found
while read -r name version; do found[$name]=$version; done < <("$@")
if ((${#found[@]} == 0)); then
    echo "lock: $* printed no version" >&2
    exit 1
fi

failed=0
checked=0
while IFS='|' read -r name _ _ link least tested packages rest; do
    if [[ -z "$name" || "$name" == '#'* ]]; then continue; fi
    if [[ -z "$packages" || -n "$rest" ]]; then
        echo "lock: the line of $name does not have seven fields" >&2
        failed=1
        continue
    fi
    version=${found[$name]:-}
    if [[ -z "$version" ]]; then
        # One compiler of two is enough, and what only tests need may be missing: they are skipped by name.
        echo "$name: not found ($link)"
        continue
    fi
    checked=$((checked + 1))
    unset "found[$name]"
    if [[ "$least" != - ]] && ! at_least "$version" "$least"; then
        echo "lock: $name $version was found, and weft needs $least or later" >&2
        failed=1
    fi
    known=false
    for one in $tested; do
        if [[ "$version" == "$one" || "$version" == "$one".* ]]; then known=true; fi
    done
    if ! "$known"; then
        echo "lock: $name $version was found, and the tested versions are: $tested. Run all tests with it and add it to packaging/lock.txt, or install the locked one: scripts/setup --locked" >&2
        failed=1
    fi
    # Another build of the same version, such as one with a security fix, is worth a line and no failure.
    for pin in $packages; do
        installed=$(dpkg-query -W -f='${Version}' "${pin%%=*}" 2>/dev/null || true)
        if [[ -n "$installed" && "$installed" != "${pin#*=}" ]]; then
            echo "$name: the package ${pin%%=*} is $installed, and the lock says ${pin#*=}"
        fi
    done
done <"$lock"

# What is used must be in the lock, because the list of materials is made from it.
for name in "${!found[@]}"; do
    echo "lock: $name ${found[$name]} was found and has no line in packaging/lock.txt" >&2
    failed=1
done
echo "$checked versions checked"
exit "$failed"
