#!/usr/bin/env bash
# Is the installed list of materials right? Run by ctest as `sbom`.
#   tests/tools/check_sbom.sh CMAKE BUILD_DIR CONFIG SOURCE_DIR TARGET...
#
# Installs TARGETs twice, with another prefix, date and time zone, and compares the two lists; holds the hashes in it
# against the files; and has it judged by spdx-tools and ntia-conformance-checker, which pip installs into a venv in
# BUILD_DIR. Skipped (exit status 77) where python3's venv or the Python package index is missing.
set -euo pipefail

cmake=$1
build=$2
config=$3
source=$4
shift 4
work=$build/sbom
list=share/weft/weft.spdx.json

python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z "$python" ]]; then
    echo "skipped: python3 with venv is not on this machine (Debian: python3-venv)"
    exit 77
fi

"$cmake" --build "$build" --config "$config" --target "$@" >/dev/null
rm -rf "$work"
mkdir -p "$work"
SOURCE_DATE_EPOCH=1000000000 TZ=UTC "$cmake" --install "$build" --config "$config" --prefix "$work/one" >/dev/null
if [[ ! -f "$work/one/$list" ]]; then
    echo "skipped: this build installs no list of materials (WEFT_SBOM is off, or python3 was missing when it was configured)"
    exit 77
fi
SOURCE_DATE_EPOCH=1000000000 TZ=XYZ-14 "$cmake" --install "$build" --config "$config" --prefix "$work/the other" >/dev/null
cmp "$work/one/$list" "$work/the other/$list"
grep '"created": "2001-09-09T01:46:40Z"' "$work/one/$list" >/dev/null ||
    { echo "sbom: the date is not SOURCE_DATE_EPOCH's" >&2; exit 1; }

"$python" - "$work/one" "$list" <<'CODE'
import hashlib, json, pathlib, sys
root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
document = json.loads((root / name).read_text())
listed = {f["fileName"][2:]: {c["algorithm"]: c["checksumValue"] for c in f["checksums"]} for f in document["files"]}
there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} - {name}
wrong = sorted(there ^ set(listed))
wrong += [f for f in sorted(there & set(listed)) if hashlib.sha256((root / f).read_bytes()).hexdigest() != listed[f]["SHA256"]]
if wrong:
    sys.exit("sbom: missing, unknown or with another hash: " + ", ".join(wrong))
kinds = {r["relationshipType"] for r in document["relationships"]}
if not {"DESCRIBES", "CONTAINS", "DEPENDS_ON", "DYNAMIC_LINK", "BUILD_TOOL_OF"} <= kinds:
    sys.exit(f"sbom: relationships are missing, there are {sorted(kinds)}")
print(f"{len(listed)} files and {len(document['packages'])} packages, as installed")
CODE

# What it refuses: a lock with a line too short, a version that nobody wrote a line for, a file elsewhere.
refuses() {
    if "$source/packaging/sbom" "$@" >/dev/null 2>"$work/refusal"; then
        echo "sbom: accepted $*" >&2
        exit 1
    fi
    echo "refused: $(cat "$work/refusal")"
}
echo 'boost-context|Boost|BSL-1.0|shared|1.74' >"$work/lock"
echo 'boost-context 1.74.0' >"$work/versions"
refuses --lock "$work/lock" --versions "$work/versions" --version 0 --root "$work/one" --out "$work/out" "$work/one/$list"
echo 'boots-context 1.74.0' >"$work/versions"
refuses --lock "$source/packaging/lock.txt" --versions "$work/versions" --version 0 --root "$work/one" --out "$work/out" "$work/one/$list"
refuses --lock "$source/packaging/lock.txt" --versions "$build/versions.txt" --version 0 --root "$work/one" --out "$work/out" "$work/lock"

venv=$build/sbom_tools
if [[ ! -x "$venv/bin/sbomcheck" || ! -x "$venv/bin/pyspdxtools" ]]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    if ! timeout 300 "$venv/bin/pip" install --quiet --disable-pip-version-check \
        spdx-tools==0.8.5 ntia-conformance-checker==6.0.0 >"$work/pip.log" 2>&1; then
        rm -rf "$venv"
        echo "skipped: pip could not install spdx-tools and ntia-conformance-checker: $(tail -n 1 "$work/pip.log")"
        exit 77
    fi
fi
"$venv/bin/pyspdxtools" --infile "$work/one/$list"
"$venv/bin/sbomcheck" "$work/one/$list" | tee "$work/ntia"
grep 'Conformant: True' "$work/ntia" >/dev/null

# The judges do judge.
sed 's/"BSL-1.0"/"Boost, or so"/' "$work/one/$list" >"$work/bad_licence.spdx.json"
sed '/"supplier": "Organization: Boost"/d' "$work/one/$list" >"$work/no_supplier.spdx.json"
if "$venv/bin/pyspdxtools" --infile "$work/bad_licence.spdx.json" >/dev/null 2>&1; then
    echo "sbom: spdx-tools accepts a licence that is none" >&2
    exit 1
fi
if "$venv/bin/sbomcheck" "$work/no_supplier.spdx.json" 2>&1 | grep 'Conformant: True' >/dev/null; then
    echo "sbom: ntia-conformance-checker accepts a package without a supplier" >&2
    exit 1
fi
