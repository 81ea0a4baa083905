"""A real PostgreSQL server for tests, on a folder of its own: found, or installed, then started."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.repository import ROOT

USER = "veridical"
HOST = "127.0.0.1"
# A server that runs tests may forget when the machine does; what is tested dies without it.
SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
}
INSTALL_SECONDS = 600
CONTROL_SECONDS = 60
CANNOT_BE_HAD = 3
STOP = """cat >/dev/null; "$0" -D "$1/data" -w -m immediate stop; rm -rf "$1" 2>/dev/null"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    folder: Path
    port: int
    password: str

    def url(self, database: str = "postgres", *, is_socket: bool = False) -> str:
        """Return the URL of a database, over loopback or over the server's socket."""
        if is_socket:
            return (
                f"postgresql://{USER}:{self.password}@/{database}"
                f"?host={self.folder}&port={self.port}"
            )
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def new_database(self, *, is_socket: bool = False) -> str:
        """Make an empty database and return its URL."""
        name = f"t{secrets.token_hex(8)}"
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name, is_socket=is_socket)

    def end_connections(self, url: str) -> int:
        """End all connections to a database, as an operator or a failing server would."""
        statement = sql.SQL(
            "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = {} AND pid <> pg_backend_pid()) AS ended"
        )
        name = url.partition("?")[0].rpartition("/")[2]
        return int(self.execute(statement.format(sql.Literal(name))))

    def execute(self, statement: sql.Composed) -> int:
        """Run one statement, and return the number it gives, if any."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return 0 if row is None else int(row[0])


def programs() -> Path:
    """Return the folder of the server's programs; skip where there can be none.

    The full campaign, and a machine that says it is a CI machine, fail instead.
    """
    found = subprocess.run(
        [ROOT / "scripts" / "postgres.sh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if found.returncode == CANNOT_BE_HAD:
        must_run = os.environ.get("VERIDICAL_CAMPAIGN") == "full" or os.environ.get("CI")
        (pytest.fail if must_run else pytest.skip)(found.stderr.strip())
    assert found.returncode == 0, found.stderr
    return Path(found.stdout.strip())


def unprivileged() -> list[str]:
    """Return how to run a command as somebody who is not root: the server refuses to be root."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "postgres"], check=True)
    return ["runuser", "-u", "postgres", "--"]


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and stop it at the end."""
    tools, prefix = programs(), unprivileged()
    # Not below pytest's folders: the path of a socket is short, and the user may not be ours.
    folder = Path(tempfile.mkdtemp(prefix="veridical-postgres-", dir="/tmp"))
    server = Server(folder=folder, port=free_port(), password=secrets.token_hex(16))
    password_file = folder / "password"
    password_file.write_text(server.password, encoding="ascii")
    if prefix:
        for path in (folder, password_file):
            shutil.chown(path, "postgres")

    def call(*command: str | Path) -> None:
        subprocess.run(
            [*prefix, *command],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=CONTROL_SECONDS,
        )

    data = folder / "data"
    options = {**SETTINGS, "port": str(server.port), "unix_socket_directories": str(folder)}
    secret: list[str | Path] = ["-A", "scram-sha-256", "--pwfile", password_file]
    initdb: list[str | Path] = ["-D", data, "-U", USER, *secret]
    given = " ".join(f"-c {name}={value}" for name, value in options.items())
    call(tools / "initdb", *initdb, "--no-sync", "--locale=C", "--encoding=UTF8")
    call(tools / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", given, "start")
    # Stops the server when its input ends: also when the tests end without another word.
    stop: list[str | Path] = [*prefix, "sh", "-c", STOP, tools / "pg_ctl", folder]
    with subprocess.Popen(stop, stdin=subprocess.PIPE, cwd="/", stdout=subprocess.DEVNULL):
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start a server that all tests of a run share, each with a database of its own."""
    with running() as server:
        yield server
