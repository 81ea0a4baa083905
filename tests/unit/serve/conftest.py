"""A gateway on a small program, without a socket, on both databases."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.repository import ROOT
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app
from veridical.serve.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
POSTGRES = Path("/usr/lib/postgresql")


def postgres_tools() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, if one is installed."""
    found = sorted(POSTGRES.glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real server on a socket of its own; it refuses to run as root."""
    tools = postgres_tools()
    if tools is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    as_user: list[str] = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        for parent in [folder, *folder.parents][:3]:
            parent.chmod(0o755)
        shutil.chown(folder, "postgres")
    data = folder / "data"
    control = [*as_user, str(tools / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"

    def call(*command: str) -> None:
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    call(*as_user, str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "veridical")
    call(*control, "-l", str(folder / "log"), "-o", options, "start")
    yield f"postgresql://veridical@/postgres?host={folder}"
    call(*control, "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    url: str = request.getfixturevalue("postgres")
    name = f"t{abs(hash(tmp_path)):x}"
    from sqlalchemy import create_engine, text

    engine = create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store(database)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    return Settings(models=(EXAMPLE,), state=tmp_path / "state", database=database, workers=0)


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    opened = Gateway(settings)
    yield opened
    opened.close()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(make_app(gateway)) as client:
        yield client
