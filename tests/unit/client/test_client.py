"""A result is only reachable after verification."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

import veridical
from tests.unit.client.conftest import EXAMPLE
from veridical import policy
from veridical.client import (
    AsyncClient,
    Client,
    GatewayError,
    Progress,
    ProofUnavailableError,
    Question,
    Trust,
)
from veridical.errors import (
    InputError,
    PolicyError,
    StatementMismatchError,
    UndecidedError,
    VerificationError,
)
from veridical.receipt import Receipt
from veridical.receipt.statement import Parameters
from veridical.serve import Gateway, Settings
from veridical.serve.app import make_app
from veridical.serve.intents import TransparencyLog

if TYPE_CHECKING:
    from pathlib import Path

X = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}
URL = "http://gateway.example"
NOBODY = "127.0.0.1:9"


class Between(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Carries requests to a gateway; whoever sits between may change what comes back."""

    def __init__(self, gateway: TestClient, change: Any = None, *, ask: Any = None) -> None:
        self._gateway = gateway
        self._change = change
        self._ask = ask

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._ask is not None:
            request = self._ask(request)
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


def test_a_salt_that_was_not_used_is_noticed(gateway: Gateway, http: TestClient) -> None:
    """A gateway that salts with a value of its own could say later that it was asked otherwise."""
    salt = b"\x01" * 32

    def other_salt(request: httpx.Request) -> httpx.Request:
        content = request.read().replace(salt.hex().encode(), b"02" * 32)
        return httpx.Request(request.method, request.url, headers=request.headers, content=content)

    def no_salt(request: httpx.Request) -> httpx.Request:
        content = request.read().replace(b'"salt"', b'"Salt"')
        return httpx.Request(request.method, request.url, headers=request.headers, content=content)

    for ask_otherwise in (other_salt, no_salt):
        between = Between(http, ask=ask_otherwise)
        with Client(URL, trust(gateway), transport=between) as client:
            with pytest.raises(StatementMismatchError) as caught:
                client.infer("example", X, salt=salt)
            assert caught.value.check == "salt"
    with Client(URL, trust(gateway), transport=Between(http)) as client:
        with pytest.raises(InputError, match="32 bytes"):
            client.infer("example", X, salt=b"short")
        with pytest.raises(InputError, match="1 to 256"):
            client.infer("example", X, nonce="")
        with pytest.raises(InputError, match="'nonce'"):
            client.infer("example", X, parameters={"nonce": "mine"})
        assert client.infer("example", X, nonce="mine").verified.statement.request_id == "mine"


def test_a_policy_may_depend_on_the_question(tmp_path: Path) -> None:
    """The seed is the one output of the key for this nonce and this commitment, or refused."""
    key = veridical.keys.generate()
    key.save(tmp_path / "seed.key")
    settings = Settings(
        models=(EXAMPLE,), state=tmp_path / "state", workers=0, seed_key=tmp_path / "seed.key"
    )
    gateway = Gateway(settings)
    signed = trust(gateway)

    def asked(question: Question) -> policy.Policy:
        seed = policy.RequireSeed(
            "vrf",
            key.public_key,
            nonce=question.nonce,
            parameters=Parameters(),
            models=[signed.programs["example"].digest],
            input_commitment=str(question.commitment),
        )
        return policy.AllOf(policy.TrustedSigners(gateway.signer.public_key), seed)

    def other(question: Question) -> policy.Policy:
        return asked(dataclasses.replace(question, salt=bytes(32)))

    with TestClient(make_app(gateway)) as http:
        own = dataclasses.replace(signed, policy=asked)
        with Client(URL, own, transport=Between(http)) as client:
            answer = client.infer("example", X, salt=b"\x07" * 32)
            assert answer.verified.statement.seed.mode == "vrf"
        with (
            Client(
                URL, dataclasses.replace(signed, policy=other), transport=Between(http)
            ) as client,
            pytest.raises(VerificationError),
        ):
            client.infer("example", X, salt=b"\x07" * 32)


def test_parameters_reach_the_gateway(gateway: Gateway, http: TestClient) -> None:
    with Client(URL, trust(gateway), transport=Between(http)) as client:
        answer = client.infer("example", X, parameters={"private": True})
        assert answer.verified.statement.input.received.is_salted
        with pytest.raises(GatewayError) as caught:
            client.infer("example", X, parameters={"deadline_ms": -1})
        assert (caught.value.status, caught.value.name) == (400, "bad_option")


def test_the_event_loop_runs_on_while_an_answer_is_verified(
    gateway: Gateway, http: TestClient
) -> None:
    threads: set[int] = set()

    def clock() -> float:
        threads.add(threading.get_ident())
        return time.time()

    watched = dataclasses.replace(trust(gateway), clock=clock)

    async def ask() -> int:
        async with AsyncClient(URL, watched, transport=Between(http)) as client:
            await client.infer("example", X)
        return threading.get_ident()

    loop = asyncio.run(ask())
    assert threads
    assert loop not in threads


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


def test_an_answer_is_proven_and_an_older_one_is_upgraded(tmp_path: Path) -> None:
    settings = Settings(models=(EXAMPLE,), state=tmp_path, workers=1, worker_threads=1)
    gateway = Gateway(settings)
    seen: list[Progress] = []
    with TestClient(make_app(gateway)) as http:
        asked = trust(gateway, policy.MinSoundnessBits(90))
        with Client(URL, asked, transport=Between(http)) as client:
            proven = client.infer("example", X, tier="zk", progress=seen.append)
            assert proven.verified.tier == "zk"
            assert proven.verified.soundness_bits >= 90
            assert seen[-1].state == "done"
            quick = client.infer("example", X)
            assert quick.verified.tier == "reexecution"
            later = client.upgrade(quick)
            assert later.verified.tier == "zk"
            assert later.verified.receipt_id == quick.verified.receipt_id
            np.testing.assert_array_equal(later["y"], quick["y"])
        # What is shown is what was asked for: a policy that the other tier satisfies as well does
        # not let a receipt without a proof pass.
        lazy = Between(http, without_proofs)
        with (
            Client(URL, trust(gateway), transport=lazy) as client,
            pytest.raises(VerificationError),
        ):
            client.infer("example", X, tier="zk")
        harder = trust(gateway, policy.RequireTier("zk"), policy.MinSoundnessBits(200))
        with (
            Client(URL, harder, transport=Between(http)) as client,
            pytest.raises(PolicyError),
        ):
            client.infer("example", X, tier="zk")


def without_proofs(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    if not request.url.path.startswith("/v1/receipts/"):
        return response
    receipt = Receipt.from_bytes(response.content)
    bare = dataclasses.replace(receipt, envelopes=receipt.envelopes[:1], evidence=())
    return httpx.Response(200, content=bare.to_bytes())


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_proof_that_will_not_come_is_said(gateway: Gateway, http: TestClient, state: str) -> None:
    def ended(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.startswith("/v1/jobs/"):
            return response
        job = {**orjson.loads(response.content), "state": state, "error": "no memory"}
        return httpx.Response(200, content=orjson.dumps(job))

    with Client(URL, trust(gateway), transport=Between(http, ended)) as client:
        with pytest.raises(ProofUnavailableError, match=f"{state}: no memory"):
            client.infer("example", X, tier="zk")
        # The answer is there all the same, for whoever accepts less.
        assert client.infer("example", X).verified.tier == "reexecution"


def test_a_proof_that_does_not_come_ends_with_the_time(gateway: Gateway, http: TestClient) -> None:
    with (
        Client(URL, trust(gateway), proof_timeout=0.5, transport=Between(http)) as client,
        pytest.raises(GatewayError, match=r"no answer within 0\.5 s"),
    ):
        client.infer("example", X, tier="zk")  # there is no worker


def test_errors_of_the_gateway_have_their_status(gateway: Gateway, http: TestClient) -> None:
    with Client(URL, trust(gateway), transport=Between(http)) as client:
        with pytest.raises(GatewayError) as caught:
            client.infer("none", X)
        assert caught.value.status == 404
    with Client(f"http://{NOBODY}", trust(gateway), timeout=2) as client:
        with pytest.raises(GatewayError) as caught:
            client.infer("example", X)
        assert caught.value.status == 0
