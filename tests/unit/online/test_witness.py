"""Cosignatures over HTTP: k of n for one head, a fork refused, and every way to answer badly."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.unit.tlog.logs import LOG_KEY, NOW, ORIGIN, draft, grow, make_log, private_key, served
from veridical.errors import CheckpointError, ConsistencyError, InputError
from veridical.online import Witness, collect
from veridical.online.fetch import NoAnswerError, fetch
from veridical.online.service import make_service
from veridical.tlog import Cosigner, Log, NoteKey, add_cosignatures, encode_request
from veridical.tlog.cosigner import REQUEST_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


HOST = "127.0.0.1"
HOSTS = ("w0.example", "w1.example", "w2.example")
KEY = NoteKey.of("witness.example/w0", private_key(10).public_key, role="cosigner")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Return a log that no test changes."""
    return make_log(tmp_path_factory.mktemp("still") / "log", served(4))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return make_log(tmp_path / "log", served(4))


@pytest.fixture
def cosigners(tmp_path: Path) -> Iterator[list[Cosigner]]:
    with ExitStack() as stack:
        made = [
            Cosigner(
                tmp_path / f"w{number}.sqlite",
                name=f"witness.example/w{number}",
                signer=private_key(10 + number),
                logs=[LOG_KEY],
                clock=lambda: NOW,
            )
            for number in range(3)
        ]
        for one in made:
            stack.callback(one.close)
        yield made


class Net:
    """Passes requests to services by their host, and counts them."""

    def __init__(self, cosigners: list[Cosigner]) -> None:
        self.services: dict[str, Any] = {
            host: TestClient(make_service(one)) for host, one in zip(HOSTS, cosigners, strict=True)
        }
        self.requests: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.url.host)
        service = self.services[request.url.host]
        if isinstance(service, TestClient):
            answer = service.request(request.method, request.url.path, content=request.content)
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=answer.content
            )
        answer = service(request)
        assert isinstance(answer, httpx.Response)
        return answer


@pytest.fixture
def net(cosigners: list[Cosigner]) -> Net:
    return Net(cosigners)


def witnesses(cosigners: list[Cosigner]) -> tuple[list[Witness], list[NoteKey]]:
    keys = [one.key for one in cosigners]
    return [Witness(f"http://{HOSTS[number]}", keys) for number in range(len(keys))], keys


def test_k_of_n_sign_one_head(log: Log, cosigners: list[Cosigner], net: Net) -> None:
    asked, keys = witnesses(cosigners)
    http = httpx.Client(transport=httpx.MockTransport(net))
    for _ in range(3):
        collected = collect(log, asked, keys, http=http)
        assert (collected.head, collected.num_cosigners) == (log.cosigned(), 3)
        assert len(collected.head.verify_cosigners(keys, at_least=3)) == 3
        grow(log, [draft()] * 300)
    assert len(net.requests) == 9  # each knows from where to go on


def test_a_new_client_learns_the_size(log: Log, cosigners: list[Cosigner], net: Net) -> None:
    http = httpx.Client(transport=httpx.MockTransport(net))
    collect(log, *witnesses(cosigners), http=http)
    grow(log, [draft()])
    net.requests.clear()
    assert collect(log, *witnesses(cosigners), http=http).num_cosigners == 3
    assert len(net.requests) == 6  # 409 with the size, then the proof


def test_two_that_are_down_are_too_many(log: Log, cosigners: list[Cosigner], net: Net) -> None:
    asked, keys = witnesses(cosigners)
    http = httpx.Client(transport=httpx.MockTransport(net))

    def down(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens")

    net.services["w0.example"] = down
    collected = collect(log, asked, keys, at_least=2, http=http)
    assert collected.num_cosigners == 2
    assert "nobody listens" in collected.failures["http://w0.example"].message
    published = log.cosigned()
    grow(log, [draft()])
    net.services["w1.example"] = down
    with pytest.raises(CheckpointError, match=r"1 of 3.*nobody listens"):
        collect(log, asked, keys, at_least=2, http=http)
    assert log.cosigned() == published  # too few signatures are not published


def test_a_forked_log_is_refused_over_http(
    tmp_path: Path, log: Log, cosigners: list[Cosigner], net: Net
) -> None:
    asked, keys = witnesses(cosigners)
    http = httpx.Client(transport=httpx.MockTransport(net))
    collect(log, asked, keys, http=http)
    # The key holder makes a second history: of the same size, of a greater one, of a smaller one.
    for number, count in enumerate((log.head().size, log.head().size + 3, 2)):
        other = make_log(tmp_path / f"other-{number}", [draft("hidden")] * count)
        with pytest.raises(ConsistencyError) as caught:
            collect(other, asked, keys, at_least=1, http=http)
        expected = "log.fork" if count == log.head().size else "log.consistency"
        assert caught.value.check == expected
        assert other.cosigned() is None
        with pytest.raises(ConsistencyError):  # and by a client that holds a checkpoint
            other.follow(log.head())
    assert all(len(one.conflicts(ORIGIN)) == 1 for one in cosigners)
    # The history that was cosigned first goes on.
    grow(log, [draft()])
    assert collect(log, asked, keys, http=http).num_cosigners == 3


def reply(status: int, content: bytes, kind: str = "text/plain") -> Callable[[Any], httpx.Response]:
    return lambda _: httpx.Response(status, content=content, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (reply(409, b"3\n", "text/x.tlog.size"), NoAnswerError, "another size with every"),
        (reply(409, b"many\n", "text/x.tlog.size"), NoAnswerError, "not a size"),
        (reply(409, b"999\n", "text/x.tlog.size"), ConsistencyError, "rolled back"),
        (reply(409, b"no\n"), ConsistencyError, "another root"),
        (reply(422, b"no\n"), ConsistencyError, "another history"),
        (reply(404, b"who?\n"), CheckpointError, "does not cosign this log: who"),
        (reply(500, b"\xff"), NoAnswerError, "status 500"),
        (reply(302, b""), NoAnswerError, "status 302"),
        (reply(200, b"hello"), NoAnswerError, "not its signatures"),
        (reply(200, b""), CheckpointError, "no key that was named"),
        (reply(200, b"x" * 70_000), NoAnswerError, "more than 65536"),
    ],
)
def test_bad_answers_are_named(
    still: Log, answer: Any, error: type[Exception], message: str
) -> None:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    with pytest.raises(error, match=message):
        Witness("http://w0.example", [KEY]).cosign(http, still, still.head())


def test_the_signature_of_a_stranger_counts_for_nobody(
    log: Log, cosigners: list[Cosigner], net: Net
) -> None:
    http = httpx.Client(transport=httpx.MockTransport(net))
    named = [cosigners[1].key]
    with pytest.raises(CheckpointError, match="no key that was named"):
        Witness("http://w0.example", named).cosign(http, log, log.head())
    with pytest.raises(CheckpointError, match="0 of 1"):
        collect(log, [Witness("http://w0.example", named)], named, http=http)


def test_mistakes_of_the_caller(still: Log) -> None:
    keys = [KEY]
    for url in ("w0.example", "ftp://w0.example", "http://w0.example/a b"):
        with pytest.raises(InputError, match="not the address"):
            Witness(url, keys)
    one = Witness("http://w0.example", keys)
    for asked, count in (([], None), ([one], 2), ([one], 0)):
        with pytest.raises(InputError, match="cosigners at"):
            collect(still, asked, keys, at_least=count)


def test_the_service_speaks_the_protocol(log: Log, cosigners: list[Cosigner]) -> None:
    service = TestClient(make_service(cosigners[0]))
    head = log.head()
    body = encode_request(0, [], head)
    good = service.post("/add-checkpoint", content=body)
    assert good.status_code == 200
    assert good.text.startswith("— witness.example/w0 ")
    stale = service.post("/add-checkpoint", content=body)
    assert (stale.status_code, stale.text) == (409, f"{head.size}\n")
    assert stale.headers["content-type"] == "text/x.tlog.size"
    assert service.post("/add-checkpoint", content=b"old\n").status_code == 400
    large = service.post("/add-checkpoint", content=b"x" * (REQUEST_MAX_BYTES + 1))
    assert large.status_code == 413
    assert service.get("/add-checkpoint").status_code == 405
    assert service.get("/vkey").text.strip() == cosigners[0].key.vkey


def test_two_collections_take_one_head(log: Log, cosigners: list[Cosigner], net: Net) -> None:
    """Two processes that collect at once would leave two heads with half the signatures each."""
    inside, most = 0, 0
    mutex = threading.Lock()

    @contextmanager
    def counted() -> Iterator[None]:
        nonlocal inside, most
        with mutex:
            inside += 1
            most = max(most, inside)
        yield
        with mutex:
            inside -= 1

    def work() -> None:
        with log.collecting(), counted():
            add_cosignatures(log, cosigners[0])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


@pytest.fixture
def dripping() -> Iterator[str]:
    """Serve headers that never end, a byte at a time: no single wait is long."""
    stop = threading.Event()
    listener = socket.create_server((HOST, 0))
    listener.settimeout(0.1)

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not stop.wait(0.02):
                    connection.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    yield f"http://{host}:{port}"
    stop.set()
    thread.join()
    listener.close()


def test_a_cosigner_that_drips_holds_nobody_up(still: Log, dripping: str) -> None:
    started = time.monotonic()
    witness = Witness(dripping, [KEY], seconds=0.2)
    with pytest.raises(CheckpointError, match="no whole answer in time"):
        collect(still, [witness], [KEY])
    assert time.monotonic() - started < 10


def test_an_answer_that_drips_is_cut_off() -> None:
    def drip() -> Iterator[bytes]:
        while True:
            threading.Event().wait(0.02)
            yield b"x"

    http = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=drip()))
    )
    with pytest.raises(NoAnswerError, match=r"in 0\.1 s"):
        fetch(http, "GET", "http://w0.example", seconds=0.1)
