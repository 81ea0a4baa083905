#!/usr/bin/env bash
# Installs what the extra `cluster` needs into a folder of its own, once for each lock, and prints the folder: put it on
# PYTHONPATH behind nothing else. The development environment stays as it is.
# Usage: scripts/cluster.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
lock=requirements/cluster.txt
folder=$PWD/.cache/cluster/$(sha256sum $lock | cut -c 1-12)
if [ ! -e "$folder/complete" ]; then
    echo "cluster: installing $lock into $folder" >&2
    rm -rf "$folder"
    "$python" -m pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: \
        --target "$folder" -r $lock >&2
    touch "$folder/complete"
fi
printf '%s\n' "$folder"
