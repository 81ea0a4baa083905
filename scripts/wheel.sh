#!/usr/bin/env bash
# Builds a wheel that runs on any x86-64 machine and carries faster builds of its extension for newer ones.
# Usage: scripts/wheel.sh DIST [BASELINE_LEVEL]. Works on a copy of the package: the source tree stays as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
dist=$(cd "$1" && pwd)
baseline=${2:-x86-64-v2}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$here"/{Cargo.toml,Cargo.lock,pyproject.toml,README.md,LICENSE,crates,python} "$copy"
find "$copy/python" -name '*.so' -delete

compile() { # LEVEL: every level has a target folder of its own, so that a second run is fast
    RUSTFLAGS="-C target-cpu=$1" cargo build --quiet --locked --release \
        --manifest-path "$copy/crates/python/Cargo.toml" --target-dir "$here/target/wheel/$1"
}
for level in x86-64-v3 x86-64-v4; do
    compile "$level"
    folder=$copy/python/veridical/_builds/$level
    mkdir -p "$folder"
    cp "$here/target/wheel/$level/release/lib_core.so" "$folder/_core.abi3.so"
done
RUSTFLAGS="-C target-cpu=$baseline" CARGO_TARGET_DIR="$here/target/wheel/$baseline" \
    maturin build --quiet --release --locked --manifest-path "$copy/crates/python/Cargo.toml" --out "$dist"
