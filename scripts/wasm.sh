#!/usr/bin/env bash
# Builds the verifier for wasm32-unknown-unknown and tests it in Node: an honest proof passes, changed ones do not.
# Usage: scripts/wasm.sh [MODULE], by default target/wasm/veridical_wasm.wasm.
# Takes the toolchain's own wasm32 library; else asks rustup for it; else builds one from Debian's sources of Rust,
# which are unpacked below target/ and leave the machine as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/target/wasm
module=${1:-$work/veridical_wasm.wasm}
target=wasm32-unknown-unknown
mkdir -p "$work" "$(dirname "$module")"

fail() { echo "$1; what to do: $2" >&2; exit 1; }
has_library() { compgen -G "$(rustc --print target-libdir --target $target)/libstd-*.rlib" >/dev/null; }

unpack_debian() { # into $work/root, with the libraries that its programs need
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        fail "no Rust library for $target" "rustup target add $target"
    local debs=$work/debs wanted name
    rm -rf "$debs" "$work/root" && mkdir -p "$debs"
    apt-cache show rust-web-src >/dev/null 2>&1 || apt-get update --quiet=2 || true
    wanted=(rustc-web rust-web-src lld-19)
    for name in $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances rustc-web lld-19 | grep -oE '(libstd-rust-web|libllvm)[-.a-z0-9]*' | sort -u); do
        wanted+=("$name")
    done
    (cd "$debs" && apt-get download --quiet=2 "${wanted[@]}") ||
        fail "Debian's sources of Rust cannot be had" "apt-get update, or rustup target add $target"
    for name in "$debs"/*.deb; do dpkg-deb --extract "$name" "$work/root"; done
    rm -rf "$debs"
    touch "$work/root/complete"
}

options=(--quiet --locked --release --target $target --target-dir "$work/target" --package veridical-wasm --lib)
has_library || { command -v rustup >/dev/null && rustup target add $target >/dev/null 2>&1; } || true
if has_library; then
    cargo build "${options[@]}"
else
    [ -e "$work/root/complete" ] || unpack_debian
    libraries=$work/root/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
    # The library is built along, which a release of the compiler does only when it is told that it may.
    LD_LIBRARY_PATH=$libraries RUSTC=$work/root/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$work/root/usr/bin/wasm-ld-19 \
        cargo build "${options[@]}" -Zbuild-std=std,panic_abort
fi
cp "$work/target/$target/release/veridical_wasm.wasm" "$module"
cargo run --quiet --locked --release --package veridical-wasm --example write_case "$work/case"
command -v node >/dev/null || fail "no node to run the module in" "install Node.js 20 or newer"
MODULE=$(realpath "$module") CASE=$work/case node --test crates/wasm/tests/verify.test.mjs
