"""A gateway on a small program, without a socket; one for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.repository import ROOT
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Open a gateway."""
    state = tmp_path_factory.mktemp("state")
    opened = Gateway(Settings(models=(EXAMPLE,), state=state, workers=0))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(gateway: Gateway) -> Iterator[TestClient]:
    """Start it."""
    with TestClient(make_app(gateway)) as client:
        yield client
