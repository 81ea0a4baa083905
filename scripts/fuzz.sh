#!/usr/bin/env bash
# Fuzzes one target with coverage, on the stable toolchain; fails on a panic, a slow input, or one that takes too much memory.
# Usage: scripts/fuzz.sh TARGET SECONDS [libFuzzer option..]; TARGET is proof, witness, graph, file or receipt
# (crates/fuzz/src), or all, which gives proof half of the time and each of the others an eighth.
# The corpus grows in target/fuzz/corpus/TARGET; an input that finds something is left in target/fuzz/artifacts/TARGET.
# Keep it in crates/fuzz/regressions/TARGET, where a test runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?TARGET}
seconds=${2:?SECONDS}
shift 2
if [ "$target" = all ]; then
    scripts/fuzz.sh proof $(((seconds + 1) / 2)) "$@"
    for target in witness graph file receipt; do scripts/fuzz.sh "$target" $(((seconds + 7) / 8)) "$@"; done
    exit
fi
work=$PWD/target/fuzz
corpus=$work/corpus/$target
artifacts=$work/artifacts/$target
seeds=crates/fuzz/seeds/$target
regressions=crates/fuzz/regressions/$target
[ -e "crates/fuzz/src/bin/$target.rs" ] || { echo "no target $target; what to do: see crates/fuzz/src/bin" >&2; exit 2; }
command -v "${CXX:-c++}" >/dev/null || { echo "libFuzzer is C++; what to do: install a C++ compiler" >&2; exit 2; }
mkdir -p "$corpus" "$artifacts"

# What `cargo fuzz` passes, without what only a nightly toolchain takes: edges, comparisons, no sanitizer.
# A release build with the checks of a debug build, so that an overflow is a panic. The flags apply to the program
# alone, not to build scripts, because a target is named.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$coverage -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 --cfg fuzzing" \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=none CARGO_TARGET_DIR=$work/target \
    cargo build --quiet --locked --release --target "$host" --package veridical-fuzz --features fuzzer --bin "fuzz-$target"

# The case of each target is made once per process, by a prover that takes more memory than the verifier may.
mkdir -p "$seeds" "$regressions"
"$work/target/$host/release/fuzz-$target" "$corpus" "$seeds" "$regressions" -artifact_prefix="$artifacts/" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=4096 -len_control=20 \
    -print_final_stats=1 -verbosity=1 "$@"
