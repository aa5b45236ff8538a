# shellcheck shell=bash
# Other distributions for rows of scripts/test-matrix, which includes this file: small Debian systems in build/roots, made
# by debootstrap from the mirror that apt is set up with, and entered by chroot. Both need root. They stay there for the
# next time; delete build/roots to have them made anew.
#
# shellcheck disable=SC2154
# Uses folder, roots, source, keep, jobs and limited() of scripts/test-matrix.

# What the rows need beside what scripts/setup installs. A row whose compiler there is none of is skipped by name.
for_rows=(g++-11 g++-12 clang-14 clang-19 lld debootstrap)

in_root_packages=(ccache cmake ninja-build make pkg-config libboost-context-dev libmimalloc-dev libcapstone-dev)

# packages_of ROOT: its compilers.
packages_of() {
    case $1 in
        trixie) echo g++-13 g++-14 ;;
        testing) echo g++-15 g++-16 ;;
    esac
}

install_for_rows() {
    local package missing=()
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then return; fi
    if ! apt-cache show "${for_rows[0]}" >/dev/null 2>&1; then apt-get -q update </dev/null; fi
    for package in "${for_rows[@]}"; do
        if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]] &&
            apt-cache show "$package" >/dev/null 2>&1; then
            missing+=("$package")
        fi
    done
    if ((${#missing[@]} == 0)); then return; fi
    echo "test-matrix: installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y install --no-install-recommends \
        "${missing[@]}" </dev/null
}

# make_root NAME: exit status 77, with a reason, where that can't be done.
make_root() {
    local name=$1 mirror root=$roots/$1 packages=()
    if [[ -e $root.ready ]]; then return; fi
    if ((EUID != 0)); then
        echo "another distribution is entered by chroot, which needs root"
        return 77
    fi
    if ! command -v debootstrap >/dev/null; then
        echo "debootstrap is not on this machine"
        return 77
    fi
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
    if [[ -z "$mirror" ]]; then
        echo "apt knows no mirror of Debian's here"
        return 77
    fi
    mkdir -p "$roots"
    rm -rf "$root"
    debootstrap --variant=minbase "$name" "$root" "$mirror" || return
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    read -r -a packages <<<"$(packages_of "$name")"
    # A mirror that is a snapshot is older than its own files allow.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/weft"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get -q update && apt-get -q -y install --no-install-recommends "$@"' \
        sh "${in_root_packages[@]}" "${packages[@]}" || return
    touch "$root.ready"
}

# in_root ROOT ROW WAY OPTION...: the row's folder is in the root.
in_root() {
    local root=$roots/$1 name=$1 row=$2 status=0
    shift 2
    make_root "$name" || return
    rm -rf "$root/matrix/weft"
    mkdir -p "$root/matrix/weft"
    tar -C "$source" --exclude=./build -cf - . | tar -C "$root/matrix/weft" -xf -
    # Rows are held against others of the same run.
    if [[ ! -e "$folder/$name.begun" ]]; then
        rm -rf "$root/matrix/shared"
        touch "$folder/$name.begun"
    fi
    limited chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        SOURCE=/matrix/weft "WORK=/matrix/$row" SHARED=/matrix/shared "JOBS=$jobs" \
        /matrix/weft/tests/matrix/way.sh "$@" || status=$?
    if ! $keep; then rm -rf "${root:?}/matrix/$row"; fi
    return "$status"
}
