"""A result is only reachable after verification."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

import veridical
from tests.repository import ROOT
from veridical import policy
from veridical.client import AsyncClient, Client, GatewayError, Trust
from veridical.errors import StatementMismatchError, UndecidedError, VerificationError
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app
from veridical.serve.intents import TransparencyLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
X = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}
URL = "http://gateway.example"
NOBODY = "127.0.0.1:9"


class Between(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Carries requests to a gateway; whoever sits between may change what comes back."""

    def __init__(self, gateway: TestClient, change: Any = None) -> None:
        self._gateway = gateway
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._gateway.request(
            request.method,
            request.url.raw_path.decode(),
            content=request.read(),
            headers=dict(request.headers),
        )
        headers = {k: v for k, v in answer.headers.items() if k != "content-length"}
        response = httpx.Response(answer.status_code, headers=headers, content=answer.content)
        return response if self._change is None else self._change(request, response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return await asyncio.to_thread(self.handle_request, request)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    opened = Gateway(Settings(models=(EXAMPLE,), state=tmp_path, workers=0))
    yield opened
    opened.close()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(make_app(gateway)) as client:
        yield client


def trust(gateway: Gateway, *rules: Any) -> Trust:
    rule = policy.AllOf(policy.TrustedSigners(gateway.signer.public_key), *rules)
    return Trust(policy=rule, programs={"example": veridical.load(EXAMPLE)})


def test_an_answer_was_verified(gateway: Gateway, http: TestClient) -> None:
    with Client(URL, trust(gateway), transport=Between(http)) as client:
        answer = client.infer("example", X, salt=b"\x01" * 32)
    expected = veridical.run(veridical.load(EXAMPLE), X).outputs
    for name, array in expected.items():
        np.testing.assert_array_equal(answer[name], array)
    assert answer.verified.tier == "reexecution"


def test_a_logged_answer_was_verified(gateway: Gateway, http: TestClient) -> None:
    assert isinstance(gateway.log, TransparencyLog)
    rule = policy.RequireLogged(gateway.log.log.key)

    async def ask() -> Any:
        async with AsyncClient(URL, trust(gateway, rule), transport=Between(http)) as client:
            return await client.infer("example", X, logged=True)

    assert asyncio.run(ask()).verified.logged is not None


def test_without_log_proofs_a_policy_that_asks_for_them_rejects(
    gateway: Gateway, http: TestClient
) -> None:
    assert isinstance(gateway.log, TransparencyLog)
    rule = policy.RequireLogged(gateway.log.log.key)
    with (
        Client(URL, trust(gateway, rule), transport=Between(http)) as client,
        pytest.raises(VerificationError),
    ):
        client.infer("example", X)


def flip_output(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    changed = bytearray(response.content)
    changed[-1] ^= 1
    return httpx.Response(200, headers=response.headers, content=bytes(changed))


def drop_receipt(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    head = int(response.headers["Inference-Header-Content-Length"])
    document = orjson.loads(response.content[:head])
    del document["parameters"]["receipt"]
    new = orjson.dumps(document)
    headers = {"Inference-Header-Content-Length": str(len(new))}
    return httpx.Response(200, headers=headers, content=new + response.content[head:])


def not_json(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=b"fine, trust me")


def replay() -> Any:
    first: list[httpx.Response] = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        first.append(response)
        return httpx.Response(200, headers=first[0].headers, content=first[0].content)

    return change


@pytest.mark.parametrize("change", [flip_output, drop_receipt, not_json])
def test_what_was_changed_on_the_way_is_never_returned(
    gateway: Gateway, http: TestClient, change: Any
) -> None:
    with (
        Client(URL, trust(gateway), transport=Between(http, change)) as client,
        pytest.raises(VerificationError),
    ):
        client.infer("example", X)


def test_an_older_answer_to_the_same_question_is_refused(
    gateway: Gateway, http: TestClient
) -> None:
    with Client(URL, trust(gateway), transport=Between(http, replay())) as client:
        client.infer("example", X)
        with pytest.raises(StatementMismatchError):
            client.infer("example", X)


def test_another_signer_is_refused(gateway: Gateway, http: TestClient) -> None:
    stranger = veridical.keys.generate().public_key
    other = Trust(
        policy=policy.TrustedSigners(stranger), programs={"example": veridical.load(EXAMPLE)}
    )
    with (
        Client(URL, other, transport=Between(http)) as client,
        pytest.raises(VerificationError),
    ):
        client.infer("example", X)


def test_without_the_program_nothing_is_decided(gateway: Gateway, http: TestClient) -> None:
    blind = Trust(policy=trust(gateway).policy, programs={})
    with Client(URL, blind, transport=Between(http)) as client, pytest.raises(UndecidedError):
        client.infer("example", X)


def test_errors_of_the_gateway_have_their_status(gateway: Gateway, http: TestClient) -> None:
    with Client(URL, trust(gateway), transport=Between(http)) as client:
        with pytest.raises(GatewayError) as caught:
            client.infer("none", X)
        assert caught.value.status == 404
    with Client(f"http://{NOBODY}", trust(gateway), timeout=2) as client:
        with pytest.raises(GatewayError) as caught:
            client.infer("example", X)
        assert caught.value.status == 0
