"""Rounds from relays: what a relay gives is verified, what it does not give voids."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.repository import ROOT
from tests.unit.seeds.scene import KEY, question
from veridical.errors import InputError
from veridical.online.drand import PUBLIC_RELAYS, DrandRelays
from veridical.seeds import QUICKNET, RecordedRounds, RoundSource, draw_with_beacon
from veridical.seeds.beacon import MARGIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = {
    one["round"]: one
    for one in json.loads((ROOT / "vectors/seeds/quicknet.json").read_text(encoding="utf-8"))
}
PATH = f"/{QUICKNET.chain.hex()}/public/"


class Relay(BaseHTTPRequestHandler):
    """Gives recorded rounds as a relay of drand does."""

    def do_GET(self) -> None:
        number = self.path.removeprefix(PATH)
        one = RECORDED.get(int(number)) if number.isdecimal() else None
        self.send_response(404 if one is None else 200)
        self.end_headers()
        if one is not None:
            self.wfile.write(json.dumps(one).encode())

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host, port = server.server_address[:2]
    yield f"http://{host!s}:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def source(relays: list[str], clock: Clock, **options: Any) -> DrandRelays:
    return DrandRelays(relays, clock=clock.time, sleep=clock.sleep, **options)


def test_a_round_of_a_relay_is_verified_and_returned(relay: str) -> None:
    rounds: RoundSource = source([relay], Clock(QUICKNET.due(1000) + 1))
    one = rounds.get(1000)
    assert one is not None
    assert QUICKNET.verify(one).hex() == RECORDED[1000].get(
        "randomness", QUICKNET.verify(one).hex()
    )


def test_a_relay_gives_an_issuer_its_round(relay: str) -> None:
    at = QUICKNET.due(1000) - MARGIN_SECONDS - 1
    rounds = source([relay], Clock(at))
    drawn = draw_with_beacon(KEY, question(), intent_time=at, beacon=QUICKNET, rounds=rounds)
    recorded = RecordedRounds.load(QUICKNET, ROOT / "vectors/seeds/quicknet.json")
    same = draw_with_beacon(KEY, question(), intent_time=at, beacon=QUICKNET, rounds=recorded)
    assert drawn is not None
    assert drawn == same
    none = source([relay], Clock(QUICKNET.due(1004)), patience=0.0)
    at = QUICKNET.due(1004) - MARGIN_SECONDS - 1
    assert draw_with_beacon(KEY, question(), intent_time=at, beacon=QUICKNET, rounds=none) is None


def test_a_round_is_waited_for_until_it_is_due(relay: str) -> None:
    clock = Clock(QUICKNET.due(1000) - 7.5)
    assert source([relay], clock).get(1000) is not None
    assert clock.slept == [7.5]
    assert source([relay], Clock(QUICKNET.due(1000) - 3600)).get(1000) is None


def test_a_round_that_no_relay_has_voids(relay: str) -> None:
    clock = Clock(QUICKNET.due(1004))
    assert source([relay], clock, patience=2.0).get(1004) is None
    assert sum(clock.slept) == 2.0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"signature":7}',
        b'{"signature":"xyz"}',
        b'{"signature":""}',
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps(RECORDED[1001]).encode(),  # another round
        json.dumps({**RECORDED[1000], "signature": "c0" + "00" * 47}).encode(),  # neutral
    ],
)
def test_a_relay_that_lies_is_passed_over(answer: bytes) -> None:
    def lie(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"{PATH}1000"
        if request.url.host == "liar.example":
            return httpx.Response(200, content=answer)
        return httpx.Response(200, json=RECORDED[1000])

    http = httpx.Client(transport=httpx.MockTransport(lie))
    now = QUICKNET.due(1000)
    alone = source(["https://liar.example"], Clock(now), http=http, patience=0.0)
    assert alone.get(1000) is None
    both = source(["https://liar.example", "https://honest.example"], Clock(now), http=http)
    one = both.get(1000)
    assert one is not None
    assert one.signature.hex() == RECORDED[1000]["signature"]


def test_relays_are_named_by_the_caller() -> None:
    with pytest.raises(InputError, match="no relay"):
        DrandRelays([])
    with pytest.raises(InputError, match="not the address"):
        DrandRelays(["api.drand.sh"])
    DrandRelays(PUBLIC_RELAYS).close()
