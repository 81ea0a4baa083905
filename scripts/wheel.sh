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
# Every file of this name goes into the wheel's metadata.
python "$here/scripts/licences.py" "$copy/LICENSE-THIRD-PARTY.txt"

# No path of the machine that builds is left in what it builds; those of our own crates are relative.
remap=""
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    remap+=" --remap-path-prefix=${registry%/}=crates"
done
flags() { # LEVEL
    echo "-C target-cpu=$1 $remap"
}

# The copy lies elsewhere every time: only the crates of other projects are kept between two runs.
for level in x86-64-v3 x86-64-v4; do
    RUSTFLAGS=$(flags "$level") cargo build --quiet --locked --release \
        --manifest-path "$copy/crates/python/Cargo.toml" --target-dir "$here/target/wheel/$level"
    folder=$copy/python/veridical/_builds/$level
    mkdir -p "$folder"
    cp "$here/target/wheel/$level/release/lib_core.so" "$folder/_core.abi3.so"
done
cd "$copy"
RUSTFLAGS=$(flags "$baseline") CARGO_TARGET_DIR="$here/target/wheel/$baseline" \
    maturin build --quiet --release --locked --out "$dist"
