"""The proxy passes on what verified, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import veridical
from tests.unit.client.test_client import (
    EXAMPLE,
    URL,
    Between,
    X,
    drop_receipt,
    flip_output,
    not_json,
    replay,
    trust,
)
from veridical.client import AsyncClient
from veridical.client.proxy import make_proxy
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = {
    "id": "mine",
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": X["x"].ravel().tolist()}],
}
INFER = "/v2/models/example/infer"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    opened = Gateway(Settings(models=(EXAMPLE,), state=tmp_path, workers=0))
    yield opened
    opened.close()


def proxied(gateway: Gateway, http: TestClient, change: Any = None) -> TestClient:
    client = AsyncClient(URL, trust(gateway), transport=Between(http, change))
    return TestClient(make_proxy(client))


def test_a_verified_answer_is_passed_on(gateway: Gateway) -> None:
    with TestClient(make_app(gateway)) as http, proxied(gateway, http) as proxy:
        assert proxy.get("/v2/health/ready").json() == {"ready": True}
        response = proxy.post(INFER, json=QUESTION)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["id"] == "mine"
        (output,) = answer["outputs"]
        (expected,) = veridical.run(veridical.load(EXAMPLE), X).outputs.values()
        np.testing.assert_array_equal(np.array(output["data"]), expected.ravel())


@pytest.mark.parametrize("change", [flip_output, drop_receipt, not_json])
def test_what_does_not_verify_becomes_an_error(gateway: Gateway, change: Any) -> None:
    with TestClient(make_app(gateway)) as http, proxied(gateway, http, change) as proxy:
        response = proxy.post(INFER, json=QUESTION)
        assert response.status_code == 502
        assert response.headers["Veridical-Error"] == "not_verified"
        assert set(response.json()) == {"error"}


def test_an_older_answer_becomes_an_error(gateway: Gateway) -> None:
    with TestClient(make_app(gateway)) as http, proxied(gateway, http, replay()) as proxy:
        assert proxy.post(INFER, json=QUESTION).status_code == 200
        assert proxy.post(INFER, json=QUESTION).status_code == 502


def test_errors_of_the_gateway_are_passed_on(gateway: Gateway) -> None:
    with TestClient(make_app(gateway)) as http, proxied(gateway, http) as proxy:
        assert proxy.post("/v2/models/none/infer", json=QUESTION).status_code == 404
        assert proxy.post(INFER, content=b"{").status_code == 400
