"""Callers: what is another one's is not there, and nobody asks for more than its key allows."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from tests.unit.serve.test_gateway import INFER, body
from veridical.inference_protocol import ProtocolError
from veridical.serve import Gateway, Settings
from veridical.serve.accounts import REFRESH_SECONDS, Accounts, new_key
from veridical.serve.app import make_app
from veridical.serve.storage import ApiKey, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from tests.unit.serve.conftest import EXAMPLE


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    opened = Gateway(Settings(models=(EXAMPLE,), state=tmp_path, workers=0, is_open=False))
    yield opened
    opened.close()


@pytest.fixture
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(make_app(gateway)) as client:
        yield client


def headers(gateway: Gateway, name: str, **limits: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {new_key(gateway.store, name=name, **limits)}"}


def test_nothing_of_another_caller_can_be_seen_or_changed(
    gateway: Gateway, http: TestClient
) -> None:
    mine, other = headers(gateway, "mine"), headers(gateway, "other")
    receipt_id = http.post(INFER, json=body(), headers=mine).headers["Veridical-Receipt"]
    upgrade = f"/v1/receipts/{receipt_id}/upgrade?tier=zk"
    job_id = http.post(upgrade, headers=mine).json()["job_id"]
    routes = [
        ("GET", f"/v1/receipts/{receipt_id}"),
        ("POST", upgrade),
        ("GET", f"/v1/jobs/{job_id}"),
        ("DELETE", f"/v1/jobs/{job_id}"),
        ("GET", f"/v1/jobs/{job_id}/events"),
    ]
    unknown = [
        ("GET", "/v1/receipts/sha256:" + "0" * 64),
        ("POST", "/v1/receipts/sha256:" + "0" * 64 + "/upgrade?tier=zk"),
        *[(method, "/v1/jobs/" + "0" * 32 + end) for method, end in (("GET", ""), ("DELETE", ""))],
        ("GET", "/v1/jobs/" + "0" * 32 + "/events"),
    ]
    for (method, theirs), (_, none) in zip(routes, unknown, strict=True):
        seen = http.request(method, theirs, headers=other)
        assert seen.status_code == 404, theirs
        # It looks as if it were not there at all.
        assert seen.content == http.request(method, none, headers=other).content
        assert http.request(method, theirs).status_code == 401
    assert http.get(f"/v1/jobs/{job_id}", headers=mine).json()["state"] == "queued"
    assert http.get("/v1/usage", headers=other).json()["usage"] == []
    assert http.get("/v1/usage", headers=mine).json()["usage"][0]["receipts"] == 1


def test_one_statement_of_two_callers_is_each_ones_own(tmp_path: Path) -> None:
    settings = Settings(
        models=(EXAMPLE,), state=tmp_path, workers=0, is_open=False, is_logged=False
    )
    gateway = Gateway(settings)
    with TestClient(make_app(gateway)) as http:
        first, second = headers(gateway, "first"), headers(gateway, "second")
        ids = [
            http.post(INFER, json=body(), headers=one).headers["Veridical-Receipt"]
            for one in (first, second, first)
        ]
        assert len(set(ids)) == 1
        for one in (first, second):
            assert http.get(f"/v1/receipts/{ids[0]}", headers=one).status_code == 200


def test_figures_of_all_are_for_operators(gateway: Gateway, http: TestClient) -> None:
    caller, operator = headers(gateway, "caller"), headers(gateway, "op", is_operator=True)
    for path in ("/v1/overview", "/metrics"):
        assert http.get(path).status_code == 401
        refused = http.get(path, headers=caller)
        assert (refused.status_code, refused.headers["Veridical-Error"]) == (403, "not_operator")
        assert http.get(path, headers=operator).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dms6eA=="},
        {"Authorization": "Bearer vk_0_0"},
        {"X-API-Key": "v" * 10_000},
        {"X-API-Key": "\u00e4"},
    ],
)
def test_without_a_known_key_nothing_is_told(http: TestClient, sent: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in sent.items()}
    for path in ("/v1/usage", "/v1/quote?model=example", "/v1/receipts/x", "/v1/jobs/x"):
        response = http.get(path, headers=encoded)
        assert (response.status_code, response.headers["Veridical-Error"]) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_two_keys_in_one_request_are_refused(gateway: Gateway, http: TestClient) -> None:
    key = headers(gateway, "one")
    both = {**key, "X-API-Key": new_key(gateway.store, name="two")}
    assert http.get("/v1/usage", headers=both).status_code == 401
    twice = [("X-API-Key", "a"), ("X-API-Key", "b")]
    response = http.get("/v1/usage", headers=twice)
    assert (response.status_code, response.headers["Veridical-Error"]) == (400, "bad_header")


def test_work_is_limited_beside_requests(gateway: Gateway, http: TestClient) -> None:
    # A request costs more than 1000 units: one may be begun, and what it took is waited for.
    worker = headers(gateway, "worker", units_per_second=100)
    statuses = [http.post(INFER, json=body(), headers=worker) for _ in range(2)]
    assert [one.status_code for one in statuses] == [200, 429]
    assert statuses[1].headers["Veridical-Error"] == "work_limited"
    assert 5 <= int(statuses[1].headers["Retry-After"]) <= 60
    limits = http.get("/v1/usage", headers=worker).json()["limits"]
    assert limits["units_per_second"] == 100


def test_what_a_refused_request_did_not_take_is_given_back(
    gateway: Gateway, http: TestClient
) -> None:
    worker = headers(gateway, "worker", units_per_second=2000)
    late = {**worker, "Veridical-Deadline-Ms": "1"}
    gateway._lanes["example"].close()
    for _ in range(9):
        assert http.post(INFER, json=body(), headers=late).status_code == 503


def test_open_proofs_are_limited(gateway: Gateway, http: TestClient) -> None:
    few = headers(gateway, "few", max_queued_proofs=1)
    answers = [http.post(INFER, json=body(tier="zk"), headers=few) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200], "the answer is handed out"
    assert "job_id" in answers[0].json()["parameters"]
    assert "proofs are waiting" in answers[1].json()["parameters"]["upgrade_error"]
    receipt_id = answers[1].headers["Veridical-Receipt"]
    again = http.post(f"/v1/receipts/{receipt_id}/upgrade?tier=zk", headers=few)
    assert (again.status_code, again.headers["Veridical-Error"]) == (429, "too_many_proofs")


def test_a_key_that_was_taken_back_is_refused_soon(gateway: Gateway, http: TestClient) -> None:
    key = headers(gateway, "leaver")
    assert http.get("/v1/usage", headers=key).status_code == 200
    key_id = http.get("/v1/usage", headers=key).json()["key_id"]
    gateway.store.revoke_key(key_id)
    taken_at = time.monotonic()
    while http.get("/v1/usage", headers=key).status_code == 200:
        assert time.monotonic() - taken_at < 10, "spec/v1/serve.md, section 2"
        time.sleep(0.05)
    assert time.monotonic() - taken_at < 2 * REFRESH_SECONDS


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_keys_that_cannot_be_read_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = Store(f"sqlite:///{tmp_path / 'test.sqlite'}"), Clock()
    secret = new_key(store, name="caller")
    accounts = Accounts(store, is_open=False, clock=clock)

    async def ask() -> None:
        await accounts.caller(None, secret)
        monkeypatch.setattr(store, "callers", unreachable)
        clock.now = 5.0
        await accounts.caller(None, secret)
        clock.now = 9.0  # the key may have been taken back since
        with pytest.raises(ProtocolError, match="cannot be read") as caught:
            await accounts.caller(None, secret)
        assert caught.value.status == 503

    asyncio.run(ask())
    store.close()


def unreachable() -> None:
    raise OperationalError("select", {}, Exception("away"))


def test_guesses_do_not_read_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = Store(f"sqlite:///{tmp_path / 'test.sqlite'}"), Clock()
    accounts = Accounts(store, is_open=False, clock=clock)
    reads: list[int] = []
    callers = store.callers

    def counted() -> list[ApiKey]:
        reads.append(1)
        return callers()

    monkeypatch.setattr(store, "callers", counted)

    async def guess(count: int) -> None:
        for number in range(count):
            with pytest.raises(ProtocolError):
                await accounts.caller(None, f"vk_{number}")

    asyncio.run(guess(50))
    assert len(reads) == 1
    clock.now = 1.5
    secret = new_key(store, name="new")
    asyncio.run(guess(0))
    assert asyncio.run(accounts.caller(None, secret)).name == "new", "a new key works at once"
    store.close()


def test_an_allowance_grows_with_time_and_no_further(tmp_path: Path) -> None:
    store, clock = Store(f"sqlite:///{tmp_path / 'test.sqlite'}"), Clock()
    accounts = Accounts(store, is_open=False, clock=clock)
    secret = new_key(store, name="caller", requests_per_second=2, units_per_second=100)
    key = asyncio.run(accounts.caller(None, secret))
    for _ in range(2):
        accounts.count(key)
    with pytest.raises(ProtocolError):
        accounts.count(key)
    accounts.spend(key, 350)
    accounts.settle(key, quoted=350, cost=300)
    with pytest.raises(ProtocolError) as caught:
        accounts.spend(key, 1)
    assert caught.value.retry_after == 3
    clock.now = 2.5
    accounts.spend(key, 1)
    clock.now = 1000.0
    for _ in range(2):
        accounts.count(key)
    with pytest.raises(ProtocolError):
        accounts.count(key)
    accounts.spend(key, 100)
    with pytest.raises(ProtocolError):
        accounts.spend(key, 1)
    store.close()
