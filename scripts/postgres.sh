#!/usr/bin/env bash
# Prints the folder of the newest PostgreSQL server's programs on this machine. When there is none and we are root,
# Debian's package is installed first, without a server that starts by itself.
# Ends with status 3 where there is no server and none can be installed.
set -euo pipefail

newest() { # the folder that holds initdb and pg_ctl
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -t/ -k5,5n | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ] && found=$(readlink -f "$found") && [ -x "${found%/*}/pg_ctl" ] && printf '%s\n' "${found%/*}"
}

newest && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "postgres: no PostgreSQL server; what to do: install one (Debian: apt-get install postgresql)" >&2
    exit 3
fi
echo "postgres: installing Debian's postgresql" >&2
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
{
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold postgresql
} >&2 || {
    echo "postgres: apt-get cannot install postgresql; what to do: look at its message above" >&2
    exit 3
}
newest
