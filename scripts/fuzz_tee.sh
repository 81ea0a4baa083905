#!/usr/bin/env bash
# Fuzzes one parser of hardware evidence with coverage; fails on an exception that is no named error, an input that takes
# more than 10 seconds, or more than 2 GB of memory.
# Usage: scripts/fuzz_tee.sh PARSER SECONDS [libFuzzer option..]; PARSER is a name of tests/fuzz/parsers.py, or all, which
# gives SECONDS to each. PYTHON names the interpreter of the development environment.
# The corpus grows in target/fuzz-tee/corpus/PARSER; an input that finds something is left in target/fuzz-tee/artifacts/PARSER.
set -euo pipefail
cd "$(dirname "$0")/.."
parser=${1:?PARSER}
seconds=${2:?SECONDS}
shift 2
python=${PYTHON:-python3}
lock=requirements/fuzz.txt
folder=$PWD/.cache/fuzz/$(sha256sum $lock | cut -c 1-12)
if [ ! -e "$folder/complete" ]; then
    echo "fuzz_tee: installing $lock into $folder" >&2
    rm -rf "$folder"
    "$python" -m pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: \
        --target "$folder" -r $lock >&2 || { echo "fuzz_tee: atheris has no wheel for this platform; what to do: use Linux on x86-64" >&2; exit 2; }
    touch "$folder/complete"
fi
export PYTHONPATH=$PWD:$folder${PYTHONPATH:+:$PYTHONPATH}
if [ "$parser" = all ]; then
    for parser in $("$python" -m tests.fuzz.tee); do PYTHON=$python scripts/fuzz_tee.sh "$parser" "$seconds" "$@"; done
    exit
fi
artifacts=$PWD/target/fuzz-tee/artifacts/$parser
mkdir -p "$artifacts"
exec "$python" -m tests.fuzz.tee "$parser" "target/fuzz-tee/corpus/$parser" -artifact_prefix="$artifacts/" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "$@"
