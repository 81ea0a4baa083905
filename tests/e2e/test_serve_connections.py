"""Peers that do nothing, send slowly, send too much, or come from where they should not."""

from __future__ import annotations

import io
import json
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.serving import EXAMPLE, in_thread, served
from veridical.errors import InputError
from veridical.serve import Gateway, Listen, Settings, connections
from veridical.serve.connections import ConnectionLimits
from veridical.serve.server import bound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import uvicorn

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MAX_CONNECTIONS = 40
INFER = "/v2/models/example/infer"
QUESTION = {
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}]
}


@dataclass
class Running:
    """A gateway behind a socket, in a thread."""

    gateway: Gateway
    server: uvicorn.Server
    port: int
    lines: io.StringIO

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    inner = Gateway(Settings(models=(EXAMPLE,), state=tmp_path_factory.mktemp("edge"), workers=0))
    limits = ConnectionLimits(connections=MAX_CONNECTIONS, head_seconds=1.0)
    lines = io.StringIO()
    listen = Listen(port=0, names=("box.example",))
    with in_thread(inner, listen, limits, lines) as (server, port):
        yield Running(inner, server, port, lines)


def opened(gateway: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def everything(peer: socket.socket) -> bytes:
    """Read until the other side ends the connection."""
    parts = []
    try:
        while part := peer.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def ask(gateway: Running, **options: Any) -> httpx.Response:
    return httpx.post(gateway.url + INFER, json=QUESTION, timeout=20, **options)


def test_idle_connections_make_room(gateway: Running) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(opened(gateway))) for _ in range(3 * MAX_CONNECTIONS)]
        assert ask(gateway).status_code == 200
        # Who came first went first.
        assert everything(idle[0]) == b""


def test_a_head_that_does_not_end_is_ended(gateway: Running) -> None:
    with closing(opened(gateway)) as silent, closing(opened(gateway)) as slow:
        begun = time.monotonic()
        slow.sendall(b"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert everything(slow).startswith(b"HTTP/1.1 408 ")
        assert everything(silent) == b""
        assert 0.9 < time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_a_large_head_is_refused(gateway: Running, head: bytes) -> None:
    with closing(opened(gateway)) as peer:
        peer.sendall(head)
        answer = everything(peer)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_what_is_not_http_is_refused_in_the_shape_of_errors(gateway: Running) -> None:
    with closing(opened(gateway)) as peer:
        peer.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = everything(peer)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"veridical-error: bad_http" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.mark.parametrize(
    "line",
    [
        b"GET /\xe4 HTTP/1.1",
        b"GET /%ff%00 HTTP/1.1",
        b"GET v2 HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT example:443 HTTP/1.1",
        b"GET http://[::1 HTTP/1.1",
        b"GET /v2 HTTP/9.9",
        b"BREW /v2 HTTP/1.1",
        b"POST /v2 HTTP/1.1\r\nContent-Length: -1",
        b"POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"POST /v2 HTTP/1.1\r\nTransfer-Encoding: gzip",
        b"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1",
        b"GET /v2 HTTP/1.1\r\nX\x00: 1",
    ],
)
def test_odd_requests_are_errors_of_their_sender(
    gateway: Running, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(opened(gateway)) as peer:
        peer.sendall(line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        answer = everything(peer)
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert not [one for one in caplog.records if one.exc_info]


def test_two_requests_in_one_packet_are_both_answered(gateway: Running) -> None:
    with closing(opened(gateway)) as peer:
        one = b"GET /v2/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        peer.sendall(one + b"\r\n" + one + b"Connection: close\r\n\r\n")
        assert everything(peer).count(b"HTTP/1.1 200 ") == 2


def large_answer(gateway: Running, count: int) -> tuple[socket.socket, int]:
    """Ask so often for the document that its answers fill every buffer; return their size."""
    size = len(httpx.get(f"{gateway.url}/openapi.json").content)
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(20)
    peer.connect(("127.0.0.1", gateway.port))
    one = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    peer.sendall((one + b"\r\n") * (count - 1) + one + b"Connection: close\r\n\r\n")
    return peer, size * count


def test_who_reads_slowly_gets_everything(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_FLUSH_SECONDS", 0.3)
    peer, size = large_answer(gateway, 30)
    with closing(peer):
        found = 0
        while part := peer.recv(40_000):
            found += len(part)
            time.sleep(0.001)
    assert found > size


def test_who_does_not_read_is_cut_off(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_FLUSH_SECONDS", 0.3)
    peer, size = large_answer(gateway, 30)
    with closing(peer):
        time.sleep(2)
        assert len(everything(peer)) < size


def test_a_body_over_the_limit_is_not_read_to_its_end(gateway: Running) -> None:
    with closing(opened(gateway)) as peer:
        size = 10**12
        peer.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        sent = 0
        try:
            while sent < 10**9:
                sent += peer.send(b" " * 65536)
        except (ConnectionError, TimeoutError):
            pass
        assert sent < 10**8, "the server goes on reading"
    with closing(opened(gateway)) as peer:
        peer.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        answer = everything(peer)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


def test_large_json_is_refused_before_it_is_parsed(gateway: Running) -> None:
    response = httpx.post(gateway.url + INFER, content=b"[" * (4 * 1024 * 1024 + 1))
    assert response.status_code == 413
    assert "as bytes" in response.json()["error"]


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Host": "evil.example"}, "bad_host"),
        ({"Host": "127.0.0.1.evil.example"}, "bad_host"),
        ({"Host": "localhost:port"}, "bad_host"),
        ({"Origin": "https://evil.example"}, "bad_origin"),
        ({"Origin": "null"}, "bad_origin"),
        ({"Origin": "http://127.0.0.1:1"}, "bad_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "bad_origin"),
    ],
)
def test_other_names_and_pages_are_refused(
    gateway: Running, headers: dict[str, str], error: str
) -> None:
    response = ask(gateway, headers=headers)
    assert (response.status_code, response.headers["Veridical-Error"]) == (403, error)


def test_own_names_and_pages_are_answered(gateway: Running) -> None:
    own = f"127.0.0.1:{gateway.port}"
    for headers in (
        {"Host": "LOCALHOST"},
        {"Host": "[::1]:80"},
        {"Host": "box.example:443"},
        {"Host": own, "Origin": f"http://{own}"},
    ):
        assert ask(gateway, headers=headers).status_code == 200, headers
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(gateway.url + "/v2", headers=link).status_code == 200


def test_each_request_has_an_id_and_a_line(gateway: Running) -> None:
    named = ask(gateway, headers={"X-Request-Id": "trace-77", "Authorization": "Bearer secret"})
    assert named.headers["X-Request-Id"] == "trace-77"
    unnamed = ask(gateway, headers={"X-Request-Id": "no spaces"})
    deadline = time.monotonic() + 10
    while unnamed.headers["X-Request-Id"] not in gateway.lines.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    text = gateway.lines.getvalue()
    assert "secret" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    line = next(one for one in lines if one["request_id"] == "trace-77")
    assert (line["method"], line["path"], line["route"]) == ("POST", INFER, "infer")
    assert (line["status"], line["error"], line["key_id"]) == (200, "", "")
    assert line["bytes_in"] > 0
    assert line["bytes_out"] == len(named.content)
    assert 0 < line["ms"] < 20_000


def test_who_hangs_up_is_not_run_for(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = gateway.gateway
    commit = inner.log.commit

    def slowly(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.5)
        return commit(*arguments, **named)

    ask(gateway)
    size = inner.log.size()
    monkeypatch.setattr(inner.log, "commit", slowly)
    content = json.dumps(QUESTION).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
    with closing(opened(gateway)) as first:
        first.sendall(head.encode() + content)
        time.sleep(0.2)  # now its batch is on its way, and others wait for it
        for _ in range(3):
            with closing(opened(gateway)) as other:
                other.sendall(head.encode() + content)
                time.sleep(0.05)
        assert first.recv(4096).startswith(b"HTTP/1.1 200 ")
    time.sleep(1.2)
    assert inner.log.size() == size + 2, "an intent and a result, of one request"
    assert inner.budget.held == 0


def test_a_stop_does_not_wait_for_streams_and_slow_bodies(gateway: Running) -> None:
    """Last: the gateway of this file ends here."""
    receipt_id = ask(gateway).headers["Veridical-Receipt"]
    upgrade = f"{gateway.url}/v1/receipts/{receipt_id}/upgrade?tier=zk"
    job_id = httpx.post(upgrade).json()["job_id"]
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(opened(gateway))) for _ in range(9)]
        for stream in streams:
            stream.sendall(
                f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
            )
            time.sleep(0.02)
        assert streams[8].recv(65536).startswith(b"HTTP/1.1 429 "), "8 streams of one caller"
        slow = stack.enter_context(closing(opened(gateway)))
        slow.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{{".encode()
        )
        time.sleep(0.2)
        begun = time.monotonic()
        gateway.server.should_exit = True
        shown = everything(streams[0])
        assert b"event: progress" in shown
        assert b": shutting down" in shown
        assert everything(slow).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 8


def test_few_open_files_are_enough(tmp_path: Path) -> None:
    """A process that may open few files has fewer connections, and its log goes on."""
    with (
        served(tmp_path / "state", prefix=("prlimit", "--nofile=128:128")) as process,
        ExitStack() as stack,
    ):
        for _ in range(300):
            peer = socket.create_connection(("127.0.0.1", process.port), timeout=20)
            stack.enter_context(closing(peer))
        for _ in range(20):
            assert httpx.post(process.url + INFER, json=QUESTION).status_code == 200
        assert process.process.poll() is None


def test_a_port_that_is_taken_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}"):
            bound(Listen(port=port))
