"""A hostile or slow server costs a client neither memory nor time."""

from __future__ import annotations

import gzip
import threading
import time
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from tests.toy import SIGNER
from tests.unit.client.servers import serving
from veridical import policy
from veridical.client import Client, GatewayError, Trust
from veridical.errors import InputError, MalformedError, OversizeError

TRUST = Trust(policy=policy.TrustedSigners(SIGNER.public_key), programs={})
X = {"x": np.zeros((1, 3), np.float32)}
BOMB = gzip.compress(bytes(2**26), compresslevel=1)
OK = b"HTTP/1.1 200 OK\r\n"


def ask(url: str, **options: Any) -> Any:
    with Client(url, TRUST, **{"timeout": 20.0, "retries": 0, **options}) as client:
        return client.infer("example", X)


def head_of(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP"])
def test_a_compressed_body_is_refused_before_it_is_unpacked(encoding: str) -> None:
    asked: list[bytes] = []

    def answer(head: bytes, body: bytes, send: Any) -> None:
        asked.append(head)
        length = f"Content-Length: {len(BOMB)}"
        send(head_of(length, f"Content-Encoding: {encoding}") + BOMB)

    with serving(answer) as url, pytest.raises(MalformedError, match="is encoded") as caught:
        ask(url)
    assert caught.value.check == "encoding"
    assert b"accept-encoding: identity\r\n" in asked[0].lower()


def test_a_compressed_body_of_a_transport_in_memory_is_refused() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b"{}")
        )

    with pytest.raises(MalformedError, match="is encoded"):
        ask("http://gateway.example", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("length", ["99999999999", "9" * 40])
def test_a_declared_length_beyond_any_answer_is_refused(length: str) -> None:
    def answer(head: bytes, body: bytes, send: Any) -> None:
        send(head_of(f"Content-Length: {length}") + b"x")

    with serving(answer) as url, pytest.raises((OversizeError, GatewayError)):
        ask(url)


@pytest.mark.parametrize("status", ["200 OK", "500 Error"])
def test_an_endless_body_is_cut(status: str) -> None:
    sent = 0

    def answer(head: bytes, body: bytes, send: Any) -> None:
        nonlocal sent
        send(head_of("Connection: close", status=status))
        while True:
            send(bytes(2**20))
            sent += 1

    with serving(answer) as url, pytest.raises(OversizeError):
        ask(url)
    assert sent < 80


@pytest.mark.parametrize("slow", ["head", "body", "nothing"])
def test_a_call_ends_at_its_deadline_however_bytes_drip(slow: str) -> None:
    over = threading.Event()

    def answer(head: bytes, body: bytes, send: Any) -> None:
        if slow == "body":
            send(head_of("Content-Length: 100000"))
        elif slow == "head":
            send(OK)
        while not over.wait(0.05):
            if slow != "nothing":
                send(b"x")

    with serving(answer) as url:
        start = time.monotonic()
        with pytest.raises(GatewayError, match=r"no answer within 0\.5 s"):
            ask(url, timeout=0.5)
        assert time.monotonic() - start < 3
        over.set()


def test_what_did_not_run_is_asked_again_with_the_same_nonce() -> None:
    bodies: list[bytes] = []

    def answer(head: bytes, body: bytes, send: Any) -> None:
        bodies.append(body)
        content = orjson.dumps({"error": "not now"})
        length = f"Content-Length: {len(content)}"
        extra = ("Retry-After: 0", "Veridical-Error: overloaded", "Connection: close")
        send(head_of(length, *extra, status="503 Not now") + content)

    with serving(answer) as url, pytest.raises(GatewayError, match="not now") as caught:
        ask(url, retries=2)
    assert (caught.value.status, caught.value.name) == (503, "overloaded")
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_what_may_have_run_is_not_asked_again() -> None:
    asked = 0

    def answer(head: bytes, body: bytes, send: Any) -> None:
        nonlocal asked
        asked += 1  # and the connection ends

    with serving(answer) as url, pytest.raises(GatewayError, match="no answer"):
        ask(url, retries=5)
    assert asked == 1


def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    def answer(head: bytes, body: bytes, send: Any) -> None:
        extra = ("Retry-After: 3600", "Content-Length: 0")
        send(head_of(*extra, status="429 Too many"))

    start = time.monotonic()
    with serving(answer) as url, pytest.raises(GatewayError) as caught:
        ask(url, retries=3)
    assert caught.value.status == 429
    assert time.monotonic() - start < 5


def response_of(shape: bytes) -> bytes:
    output = b'{"name":"y","datatype":"FP64","parameters":{"binary_data_size":64},"shape":'
    return b'{"parameters":{"receipt":"x"},"outputs":[' + output + shape + b"}]}"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"outputs":[' + b"0," * 200_000 + b"0]}",
        response_of(b"[-1,-8]"),
        response_of(b"[1e999]"),
        b'{"parameters":{"receipt":"x"},"outputs":[]}',
        b'{"parameters":["receipt"],"outputs":[]}',
        b"null",
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("length", ["none", "-1", "999999999999999999999", "1"])
def test_what_is_no_response_of_the_protocol_is_refused(content: bytes, length: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        headers = {} if length == "none" else {"Inference-Header-Content-Length": length}
        return httpx.Response(200, headers=headers, content=content)

    with pytest.raises(MalformedError, match="no response with a receipt"):
        ask("http://gateway.example", transport=httpx.MockTransport(answer))


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"Location": "http://elsewhere.example/"})

    with pytest.raises(GatewayError) as caught:
        ask("http://gateway.example", transport=httpx.MockTransport(answer))
    assert caught.value.status == 307
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["gateway.example", "ftp://gateway.example", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="not the address"):
        Client(url, TRUST)
