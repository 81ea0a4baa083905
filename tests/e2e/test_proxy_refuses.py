"""Triton's client, a proxy, and somebody between the proxy and the gateway who changes answers."""

from __future__ import annotations

import gzip
import re
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import orjson
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

import veridical
from tests.postgres import free_port
from tests.serving import COMMAND, EXAMPLE, served
from veridical.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

HEAD = "Inference-Header-Content-Length"
X = np.array([[0.25, -1.5, 0.75], [1.0, 0.5, -0.25]], dtype=np.float32)
OTHER = X * 2
#: Status, headers and body.
Response = tuple[int, dict[str, str], bytes]


class Thief:
    """Passes requests to the gateway, and does to the answers what it is told."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.change: Callable[[Response], Response] = lambda response: response
        self.kept: list[Response] = []

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Response:
        sent = {k: v for k, v in headers.items() if k.lower() not in {"host", "content-length"}}
        got = httpx.post(f"{self.gateway}{path}", headers=sent, content=body, timeout=30)
        kept = {k: v for k, v in got.headers.items() if k.lower() == HEAD.lower()}
        response = (got.status_code, kept, got.content)
        self.kept.append(response)
        return self.change(response)


@contextmanager
def between(gateway: str) -> Iterator[tuple[Thief, int]]:
    thief = Thief(gateway)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = thief.answer(self.path, dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield thief, server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Thief, Path]]:
    """Return Triton's client, the thief, and the lines that the proxy writes."""
    folder = tmp_path_factory.mktemp("proxy")
    policy = folder / "policy.toml"
    with served(folder / "state") as gateway, between(gateway.url) as (thief, upstream):
        policy.write_text(
            'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\n'
            f'key_files = ["{gateway.state}/receipts.pub"]\n',
            encoding="utf-8",
        )
        port = free_port()
        address = f"http://127.0.0.1:{upstream}"
        command = [*COMMAND, "proxy", address, "--policy", str(policy), "--program", str(EXAMPLE)]
        errors = folder / "proxy.err"
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=stream
            )
        client = triton.InferenceServerClient(f"127.0.0.1:{port}", network_timeout=60)
        _wait(port, process)
        yield client, thief, errors
        client.close()
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None
        try:
            httpx.get(f"http://127.0.0.1:{port}/v2/health/live", timeout=5)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the proxy did not start")


def ask(client: Any, array: Any = X, *, is_binary: bool = True, **options: Any) -> Any:
    tensor = triton.InferInput("x", array.shape, "FP32")
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    outputs = [triton.InferRequestedOutput("y", binary_data=is_binary)]
    return client.infer("example", [tensor], outputs=outputs, **options)


def edited(response: Response, change: Callable[[dict[str, Any]], None]) -> Response:
    """Change the JSON of a response, and leave its tensors."""
    status, headers, body = response
    head = int(next(iter(headers.values())))
    document = orjson.loads(body[:head])
    change(document)
    new = orjson.dumps(document)
    return status, {HEAD: str(len(new))}, new + body[head:]


def without_receipt(response: Response) -> Response:
    return edited(response, lambda document: document["parameters"].pop("receipt"))


def without_signature(response: Response) -> Response:
    def change(document: dict[str, Any]) -> None:
        receipt = Receipt.from_bytes(document["parameters"]["receipt"].encode())
        bare = Receipt(statement=receipt.statement)
        document["parameters"]["receipt"] = bare.to_bytes().decode()

    return edited(response, change)


def forged(response: Response) -> Response:
    """Sign with a key of its own what the answer should have been."""

    def change(document: dict[str, Any]) -> None:
        program = veridical.load(EXAMPLE)
        receipt = Receipt.from_bytes(document["parameters"]["receipt"].encode())
        run = veridical.run(program, {"x": X})
        own = veridical.issue(
            run, signer=veridical.keys.generate(), nonce=receipt.statement.request_id
        )
        document["parameters"]["receipt"] = own.to_bytes().decode()

    return edited(response, change)


def altered(response: Response) -> Response:
    status, headers, body = response
    return status, headers, body[:-1] + bytes([body[-1] ^ 1])


def bomb(_: Response) -> Response:
    return 200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(2**28), compresslevel=1)


def trusting(_: Response) -> Response:
    return 200, {}, b'{"model_name":"example","outputs":[],"parameters":{}}'


@pytest.mark.parametrize("is_binary", [True, False])
def test_what_verifies_is_passed_on(scene: tuple[Any, Thief, Path], is_binary: bool) -> None:
    client, thief, lines = scene
    thief.change = lambda response: response
    result = ask(client, is_binary=is_binary)
    expected = veridical.run(veridical.load(EXAMPLE), {"x": X}).outputs["y"]
    np.testing.assert_array_equal(result.as_numpy("y"), expected)
    receipt_id = result.get_response()["parameters"]["receipt_id"]
    assert f"example: verified (reexecution) {receipt_id}" in lines.read_text()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (altered, "output"),
        (without_receipt, "format"),
        (without_signature, "signer"),
        (forged, "signer"),
        (bomb, "encoding"),
        (trusting, "format"),
    ],
)
def test_what_was_changed_is_refused_by_name(
    scene: tuple[Any, Thief, Path], change: Callable[[Response], Response], check: str
) -> None:
    client, thief, lines = scene
    thief.change = change
    before = len(lines.read_text().splitlines())
    with pytest.raises(InferenceServerException, match=re.escape(f"({check})")) as caught:
        ask(client)
    assert caught.value.status() == "502"
    (line,) = lines.read_text().splitlines()[before:]
    assert line.startswith("example: refused: ")
    assert f"({check})" in line


def test_an_answer_of_another_question_is_refused(scene: tuple[Any, Thief, Path]) -> None:
    client, thief, _ = scene
    thief.change = lambda response: response
    ask(client, OTHER)
    other = thief.kept[-1]
    thief.change = lambda _: other
    with pytest.raises(InferenceServerException, match=r"\(input\)"):
        ask(client)


def test_an_older_answer_to_the_same_question_is_refused(scene: tuple[Any, Thief, Path]) -> None:
    client, thief, _ = scene
    thief.change = lambda response: response
    ask(client)
    older = thief.kept[-1]
    thief.change = lambda _: older
    with pytest.raises(InferenceServerException, match=r"\(nonce\)"):
        ask(client)


@pytest.mark.parametrize("status", [200, 204, 302])
def test_no_other_success_is_passed_on(scene: tuple[Any, Thief, Path], status: int) -> None:
    client, thief, _ = scene
    thief.change = lambda _: (status, {"Location": "/"}, b"")
    with pytest.raises(InferenceServerException) as caught:
        ask(client)
    assert caught.value.status() == "502"
