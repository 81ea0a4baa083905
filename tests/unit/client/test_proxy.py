"""The proxy passes on what verified, and nothing else."""

from __future__ import annotations

import dataclasses
import gzip
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

import veridical
from tests.unit.client.conftest import EXAMPLE
from tests.unit.client.test_client import (
    URL,
    Between,
    X,
    drop_receipt,
    flip_output,
    not_json,
    replay,
    trust,
)
from veridical import policy
from veridical.client import AsyncClient
from veridical.client.proxy import ProxyOptions, make_proxy
from veridical.receipt import Receipt
from veridical.serve import Gateway

if TYPE_CHECKING:
    from pathlib import Path

QUESTION: dict[str, Any] = {
    "id": "mine",
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": X["x"].ravel().tolist()}],
}
INFER = "/v2/models/example/infer"


HERE = "http://127.0.0.1:8081"


def proxied(gateway: Gateway, http: TestClient, change: Any = None, **options: Any) -> TestClient:
    rules = options.pop("rules", ())
    client = AsyncClient(
        URL,
        trust(gateway, *rules),
        retries=0,
        timeout=options.pop("timeout", 30),
        transport=Between(http, change, ask=options.pop("ask", None)),
    )
    options = {"report": lambda _: None, **options}
    return TestClient(make_proxy(client, ProxyOptions(**options)), base_url=HERE)


def test_a_verified_answer_is_passed_on(gateway: Gateway, http: TestClient) -> None:
    with proxied(gateway, http) as proxy:
        assert proxy.get("/v2/health/ready").json() == {"ready": True}
        response = proxy.post(INFER, json=QUESTION)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["id"] == "mine"
        (output,) = answer["outputs"]
        (expected,) = veridical.run(veridical.load(EXAMPLE), X).outputs.values()
        np.testing.assert_array_equal(np.array(output["data"]), expected.ravel())


@pytest.mark.parametrize("change", [flip_output, drop_receipt, not_json])
def test_what_does_not_verify_becomes_an_error(
    gateway: Gateway, http: TestClient, change: Any
) -> None:
    with proxied(gateway, http, change) as proxy:
        response = proxy.post(INFER, json=QUESTION)
        assert response.status_code == 502
        assert response.headers["Veridical-Error"] == "not_verified"
        assert set(response.json()) == {"error"}


def swapped() -> Any:
    """Give to the second who asks what the first one got."""
    first: list[httpx.Response] = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        first.append(response)
        return httpx.Response(200, headers=first[0].headers, content=first[0].content)

    return change


def encoded(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    headers = {**response.headers, "Content-Encoding": "gzip"}
    return httpx.Response(200, headers=headers, content=gzip.compress(response.content))


def unsigned(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """Take the signatures off, and leave everything else."""
    head = int(response.headers["Inference-Header-Content-Length"])
    document = orjson.loads(response.content[:head])
    receipt = Receipt.from_bytes(document["parameters"]["receipt"].encode())
    bare = dataclasses.replace(receipt, envelopes=())
    document["parameters"]["receipt"] = bare.to_bytes().decode()
    new = orjson.dumps(document)
    headers = {"Inference-Header-Content-Length": str(len(new))}
    return httpx.Response(200, headers=headers, content=new + response.content[head:])


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (flip_output, "output"),
        (drop_receipt, "format"),
        (unsigned, "signer"),
        (not_json, "format"),
        (encoded, "encoding"),
    ],
)
def test_every_refusal_has_a_name(
    gateway: Gateway, http: TestClient, change: Any, check: str
) -> None:
    lines: list[str] = []
    with proxied(gateway, http, change, report=lines.append) as proxy:
        response = proxy.post(INFER, json=QUESTION)
        assert (response.status_code, response.headers["Veridical-Check"]) == (502, check)
        assert not {"receipt", "outputs", "parameters"} & response.json().keys()
    assert len(lines) == 1
    assert f"({check})" in lines[0]


def test_answers_that_were_swapped_or_repeated_are_refused_by_name(
    gateway: Gateway, http: TestClient
) -> None:
    other = {"inputs": [{**QUESTION["inputs"][0], "data": [9.0, 9.0, 9.0]}]}
    with proxied(gateway, http, swapped()) as proxy:
        assert proxy.post(INFER, json=QUESTION).status_code == 200
        response = proxy.post(INFER, json=other)
        assert (response.status_code, response.headers["Veridical-Check"]) == (502, "input")
    with proxied(gateway, http, swapped()) as proxy:
        assert proxy.post(INFER, json=QUESTION).status_code == 200
        response = proxy.post(INFER, json=QUESTION)
        assert (response.status_code, response.headers["Veridical-Check"]) == (502, "nonce")


@pytest.mark.parametrize("status", [100, 201, 202, 204, 206, 301, 302, 304, 307, 399, 600, 999])
def test_no_status_of_success_comes_from_elsewhere(
    gateway: Gateway, http: TestClient, status: int
) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(status, headers={"Location": "/"}, content=b'{"outputs":[]}')

    with proxied(gateway, http, change) as proxy:
        for response in (
            proxy.post(INFER, json=QUESTION, follow_redirects=False),
            proxy.get("/v2/health/ready", follow_redirects=False),
        ):
            assert response.status_code == 502
            assert set(response.json()) == {"error"}
            assert "location" not in response.headers


def test_options_reach_the_gateway(gateway: Gateway, http: TestClient) -> None:
    salt = "0a" * 32
    with proxied(gateway, http) as proxy:

        def ask(headers: dict[str, str] | None = None, **parameters: Any) -> Any:
            body = {**QUESTION, "parameters": parameters}
            return proxy.post(INFER, json=body, headers=headers)

        def receipt(response: Any) -> Receipt:
            assert response.status_code == 200, response.text
            return Receipt.from_bytes(response.json()["parameters"]["receipt"].encode())

        assert receipt(ask(private=True)).statement.input.received.is_salted
        assert receipt(ask({"Veridical-Private": "true"})).statement.input.received.is_salted
        assert not receipt(ask()).statement.input.received.is_salted
        assert receipt(ask(nonce="n-1")).statement.request_id == "n-1"
        # The id of a request may repeat, so it is no nonce here.
        assert receipt(ask()).statement.request_id != "mine"
        salted = receipt(ask(salt=salt)).reveals["input.received"]
        assert salted.salt.hex() == salt
        assert "receipt" not in ask(receipt=False).json()["parameters"]
        for bad in (
            ask(deadline_ms=-1),
            ask(deadline_ms="soon"),
            ask(salt="00"),
            ask(tier="gold"),
            ask(nonce=7),
            ask({"Veridical-Nonce": "n-2"}, nonce="n-1"),
            ask({"Veridical-Private": "yes"}),
            ask({"Veridical-Deadline-Ms": "1.5"}),
        ):
            assert bad.status_code == 400, bad.text


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Host": "evil.example"}, "bad_host"),
        ({"Host": "127.0.0.1.evil.example"}, "bad_host"),
        ({"Host": "evil.example:8081"}, "bad_host"),
        ({"Origin": "https://evil.example"}, "bad_origin"),
        ({"Origin": "null"}, "bad_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "bad_origin"),
    ],
)
def test_pages_of_others_are_not_answered(
    gateway: Gateway, http: TestClient, headers: dict[str, str], error: str
) -> None:
    with proxied(gateway, http, pages=("https://page.example",)) as proxy:
        for response in (
            proxy.post(INFER, json=QUESTION, headers=headers),
            proxy.get("/v2", headers=headers),
        ):
            assert (response.status_code, response.headers["Veridical-Error"]) == (403, error)
        for allowed in ({"Host": "localhost:8081"}, {"Origin": "https://page.example"}):
            assert proxy.post(INFER, json=QUESTION, headers=allowed).status_code == 200


def test_receipts_are_kept_when_asked(gateway: Gateway, http: TestClient, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = tmp_path / "kept"
    folder.mkdir()
    with proxied(gateway, http, keep=folder, report=lines.append) as proxy:
        response = proxy.post(INFER, json=QUESTION)
    (kept,) = folder.iterdir()
    receipt_id = response.headers["Veridical-Receipt"]
    assert kept.name == f"{receipt_id.removeprefix('sha256:')}.receipt.json"
    trusted = trust(gateway)
    verified = veridical.verify(
        kept,
        policy.TrustedSigners(gateway.signer.public_key),
        now=time.time(),
        input=X,
        program=trusted.programs["example"],
    )
    assert verified.receipt_id == receipt_id
    assert lines[0].startswith(f"example: verified (reexecution) {receipt_id}")


def test_a_body_that_is_encoded_or_too_large_is_refused(
    gateway: Gateway, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veridical.client.proxy._MAX_BODY_BYTES", 1000)
    with proxied(gateway, http) as proxy:
        packed = proxy.post(INFER, content=b"x", headers={"Content-Encoding": "gzip"})
        assert packed.status_code == 415
        assert proxy.post(INFER, content=bytes(1001)).status_code == 413
        monkeypatch.setattr("veridical.client.proxy._MAX_HELD_BYTES", 500)
        for _ in range(3):  # what was refused is not held
            assert proxy.post(INFER, content=bytes(501)).status_code == 503
            assert proxy.post(INFER, json=QUESTION).status_code == 200


def test_what_another_program_answered_is_undecided_or_refused(
    gateway: Gateway, http: TestClient
) -> None:
    lines: list[str] = []
    stricter = (policy.RequireTier("zk"),)
    with proxied(gateway, http, rules=stricter, report=lines.append) as proxy:
        response = proxy.post(INFER, json=QUESTION)
        assert (response.status_code, response.headers["Veridical-Check"]) == (502, "policy")
    assert "refused: PolicyError (policy)" in lines[0]


def test_an_older_answer_becomes_an_error(gateway: Gateway, http: TestClient) -> None:
    with proxied(gateway, http, replay()) as proxy:
        assert proxy.post(INFER, json=QUESTION).status_code == 200
        assert proxy.post(INFER, json=QUESTION).status_code == 502


def test_errors_of_the_gateway_are_passed_on(gateway: Gateway, http: TestClient) -> None:
    with proxied(gateway, http) as proxy:
        assert proxy.post("/v2/models/none/infer", json=QUESTION).status_code == 404
        assert proxy.post(INFER, content=b"{").status_code == 400
