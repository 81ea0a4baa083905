"""A gateway on a small program, without a socket, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.postgres import Server
from tests.repository import ROOT
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app
from veridical.serve.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


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
