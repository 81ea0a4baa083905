#!/usr/bin/env bash
# Makes sure that there is a Chromium to test the page in, and the fonts that its pictures are taken with.
# Usage: scripts/chromium.sh. Prints the path of the browser. Installs Debian's packages only when they are missing and we are
# root; ends with 3 where there is no browser and none can be installed.
set -euo pipefail

fail() {
    printf 'chromium: %s\n  what to do: %s\n' "$1" "$2" >&2
    exit 3
}

find_browser() {
    local candidate
    for candidate in "${VERIDICAL_CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if [ -n "$candidate" ] && command -v "$candidate" 2>/dev/null; then return; fi
    done
    return 1
}

if ! find_browser >/dev/null; then
    packages=(chromium fonts-sil-charis fonts-dejavu-core fonts-symbola)
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "no Chromium on PATH" "install it (Debian: apt-get install ${packages[*]}), or name one: VERIDICAL_CHROMIUM=/path/to/chromium"
    fi
    printf 'chromium: installing %s\n' "${packages[*]}" >&2
    apt-get update -qq >&2 || true # packages of an earlier update may do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
        fail "Debian's package of Chromium cannot be installed" "install a Chromium yourself, and name it: VERIDICAL_CHROMIUM=/path/to/chromium"
fi
find_browser || fail "the package was installed, but there is no chromium on PATH" "name it: VERIDICAL_CHROMIUM=/path/to/chromium"
