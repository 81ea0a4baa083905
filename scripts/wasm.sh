#!/usr/bin/env bash
# Builds the verifier for wasm32-unknown-unknown, tests it in Node, and compares it with the committed module.
# Usage: scripts/wasm.sh [MODULE], by default target/wasm/veridical_wasm.wasm.
#
#   VERIDICAL_WASM_RECORD=1    the module that was built becomes the committed one, with its record
#   VERIDICAL_RUSTUP_TARGET=1  rustup may add the library for wasm32 to the toolchain
#   VERIDICAL_WASM_DEBIAN=1    Debian's compiler is taken even where the toolchain has such a library
#
# Without such a library one is built from Debian's sources of Rust, in versions that are pinned by their hashes; they
# are unpacked below target/ and leave the machine as it is. Bytes are compared only if the committed module was built
# by the same compiler; the record beside it names that.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/target/wasm
module=${1:-$work/veridical_wasm.wasm}
committed=python/veridical/page/veridical.wasm
target=wasm32-unknown-unknown
mkdir -p "$work" "$(dirname "$module")"

# One package a line: SHA-256, name, version. Debian 12 for amd64.
packages='
6edf3a8b28495cdba883d9760e0dca1a81983fc497a5f989dc64d0d96d23b4aa libllvm19 1:19.1.7-3~deb12u1
729ec3e943d320515c2bbdc96acfffd7ce34861e62bd5c42726bf586d644dfe2 libllvm22 1:22.1.8-1~deb12u1
3755f30434ae29574c91b0beb86632bee401607b0ac35c3e52810f9a53fae0d1 libstd-rust-web-1.96 1.96.0+dfsg1-1~deb12u2
e38dbeaaad673fc63fb47c5140cf34da271ac71c3ecafc828b762c2fb01fe77a libstd-rust-web-dev 1.96.0+dfsg1-1~deb12u2
416e084363a16a7060eaa6343ed641dfe864b8208c39170ee00a5679e4b486a2 lld-19 1:19.1.7-3~deb12u1
9de8597c464d0a9283672973ed7e50092b49a92b95861429043fe8b57468a208 rust-web-src 1.96.0+dfsg1-1~deb12u2
8fefe1d6377fe4082f5a9d2a47e095e2d20319eaab9754bd2f0275155c9adf90 rustc-web 1.96.0+dfsg1-1~deb12u2
'

fail() { echo "$1; what to do: $2" >&2; exit 1; }
has_library() { compgen -G "$(rustc --print target-libdir --target $target)/libstd-*.rlib" >/dev/null; }

unpack_debian() { # into $work/root, with the libraries that its programs need
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        fail "no Rust library for $target" "rustup target add $target, or VERIDICAL_RUSTUP_TARGET=1"
    local debs=$work/debs sum name version
    rm -rf "$debs" "$work/root" && mkdir -p "$debs"
    apt-cache show rust-web-src >/dev/null 2>&1 || apt-get update --quiet=2 || true
    while read -r sum name version; do
        [ -n "$sum" ] || continue
        (cd "$debs" && apt-get download --quiet=2 "$name=$version") ||
            fail "Debian has no $name $version any more" "pin another version here, or rustup target add $target"
        echo "$sum  $(compgen -G "$debs/${name}_*.deb")" | sha256sum --check --quiet ||
            fail "$name is not the package that is pinned" "do not use it"
    done <<<"$packages"
    for name in "$debs"/*.deb; do dpkg-deb --extract "$name" "$work/root"; done
    rm -rf "$debs"
    touch "$work/root/complete"
}

# Neither the folder of the checkout nor that of the crates gets into the module.
flags="--remap-path-prefix=$PWD=/veridical"
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do flags+=" --remap-path-prefix=${sources%/}=/crates"; done
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

options=(--quiet --locked --profile wasm --target $target --target-dir "$work/target" --package veridical-wasm --lib)
if [ -n "${VERIDICAL_RUSTUP_TARGET:-}" ] && ! has_library; then rustup target add $target; fi
if has_library && [ -z "${VERIDICAL_WASM_DEBIAN:-}" ]; then
    compiler=$(rustc --version)
    cargo build "${options[@]}"
else
    [ -e "$work/root/complete" ] || unpack_debian
    libraries=$work/root/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
    compiler=$(LD_LIBRARY_PATH=$libraries "$work/root/usr/bin/rustc" --version)
    # The library is built along, which a release of the compiler does only when it is told that it may.
    LD_LIBRARY_PATH=$libraries RUSTC=$work/root/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$work/root/usr/bin/wasm-ld-19 \
        cargo build "${options[@]}" -Zbuild-std=std,panic_abort
fi
cp "$work/target/$target/wasm/veridical_wasm.wasm" "$module"
chmod 644 "$module"
! grep -qaF -e "$PWD" -e "$HOME" "$module" || fail "the module names a folder of this machine" "see \`flags\` here"

cargo run --quiet --locked --release --package veridical-wasm --example write_case "$work/case"
command -v node >/dev/null || fail "no node to run the module in" "install Node.js 20 or newer"
MODULE=$(realpath "$module") CASE=$work/case node --test crates/wasm/tests/verify.test.mjs

if [ -n "${VERIDICAL_WASM_RECORD:-}" ]; then
    mkdir -p "$(dirname $committed)"
    cp "$module" $committed
    python3 scripts/wasm_sources.py --record $committed "$compiler"
    node page/build.mjs # the page has the module inside
elif ! grep -qF "\"$compiler\"" $committed.json; then
    echo "built by $compiler, and the committed module by another compiler: not compared" >&2
elif cmp "$module" $committed; then
    echo "the same bytes as $committed"
else
    fail "another module than the committed one" "VERIDICAL_WASM_RECORD=1 make wasm, if the sources were changed"
fi
