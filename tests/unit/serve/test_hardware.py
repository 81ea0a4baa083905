"""A gateway whose key hardware vouches for; the hardware is a simulator's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import veridical
from tests.toy import SIGNER
from tests.unit.serve.conftest import EXAMPLE
from tests.unit.serve.test_gateway import INFER, body
from tests.unit.tee.test_attesters import kernel_of
from veridical.errors import AttesterError, InputError, QuoteError
from veridical.keys import PrivateKey
from veridical.policy import AllOf, RequireTee, TrustedSigners
from veridical.receipt import Receipt
from veridical.serve import Gateway, Settings
from veridical.serve import hardware as on_hardware
from veridical.serve.app import make_app
from veridical.serve.hardware import AttestedKey
from veridical.tee import Attestation, Family, TeeContext, TeePolicy
from veridical.tee.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

X = np.array([[0.25, -1.5, 0.75]], dtype=np.float32)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def gateway(state: Path) -> Iterator[Gateway]:
    opened = Gateway(Settings(models=(EXAMPLE,), state=state, workers=0, tee="simulator"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def http(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(make_app(gateway)) as client:
        yield client


def judge(receipt: bytes, gateway: Gateway, policy: TeePolicy, now: float) -> Any:
    signers = TrustedSigners(gateway.signer.public_key)
    context = TeeContext(time=int(now))
    rule = AllOf(signers, RequireTee(policy))
    return veridical.verify(receipt, rule, now=now, input={"x": X}, tee=context)


def named(gateway: Gateway) -> TeePolicy:
    word, _, fingerprint = str(gateway.metadata()["tee"]).rpartition(" ")
    assert word == "SIMULATED tdx"
    return TeePolicy(simulators=frozenset({fingerprint}))


def test_a_receipt_carries_a_quote_over_the_key_that_signed_it(
    gateway: Gateway, http: TestClient
) -> None:
    question = body()
    question["inputs"][0]["data"] = X.ravel().tolist()
    answers = [http.post(INFER, json=question).json()["parameters"] for _ in range(2)]
    bundle = answers[0]["receipt"].encode()
    now = time.time()
    verified = judge(bundle, gateway, named(gateway), now)
    assert verified.tier == "tee"
    assert verified.attested is not None
    assert verified.attested.is_simulated
    assert verified.assumptions[0].startswith("SIMULATED")
    first, second = (Receipt.from_bytes(one["receipt"].encode()) for one in answers)
    assert first.evidence == second.evidence, "more than one quote in an epoch"
    assert answers[0]["tier"] == "tee"
    stored = http.get(f"/v1/receipts/{answers[0]['receipt_id']}").content
    assert judge(stored, gateway, named(gateway), now).tier == "tee"


def test_a_simulator_is_accepted_by_nobody_who_does_not_name_it(
    gateway: Gateway, http: TestClient
) -> None:
    bundle = http.post(INFER, json=body()).json()["parameters"]["receipt"].encode()
    with pytest.raises(QuoteError, match="SIMULATED") as raised:
        judge(bundle, gateway, TeePolicy(), time.time())
    assert raised.value.check == "tee.simulated"


def test_a_receipt_is_of_its_epoch(gateway: Gateway, http: TestClient) -> None:
    bundle = http.post(INFER, json=body()).json()["parameters"]["receipt"].encode()
    late = time.time() + on_hardware.EPOCH_SECONDS + 3600
    with pytest.raises(QuoteError) as raised:
        judge(bundle, gateway, named(gateway), late)
    assert raised.value.check == "tee.key-expired"


def test_the_key_is_written_nowhere(gateway: Gateway, state: Path) -> None:
    assert not (state / "receipts.key").exists()
    assert gateway.signer.public_key.key_id != SIGNER.public_key.key_id
    assert (state / "log.key").exists()


@pytest.mark.parametrize("change", [{"key": EXAMPLE}, {"is_logged": False}])
def test_what_contradicts_an_attested_key_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    settings = Settings(models=(EXAMPLE,), state=tmp_path / "s", workers=0, tee="simulator")
    with pytest.raises(InputError, match="key"):
        Gateway(replace(settings, **change))


def test_auto_takes_the_hardware_or_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(models=(EXAMPLE,), state=tmp_path / "s", workers=0, tee="auto")
    with pytest.MonkeyPatch.context() as nothing:
        nothing.setattr("veridical.tee.attester.detect", _absent)
        with pytest.raises(AttesterError, match="none here"):
            Gateway(settings)
    attester, kernel = kernel_of(tmp_path, Family.SEV_SNP)
    kernel.attester = Simulator.of(Family.SEV_SNP)
    monkeypatch.setattr("veridical.tee.attester.detect", lambda: attester)
    opened = Gateway(settings)
    try:
        assert opened.metadata()["tee"] == "sev-snp genoa"
        with TestClient(make_app(opened)) as client:
            bundle = client.post(INFER, json=body()).json()["parameters"]["receipt"].encode()
        policy = TeePolicy(simulators=frozenset({kernel.attester.fingerprint}))
        assert judge_any(bundle, opened, policy).tier == "tee"
    finally:
        opened.close()
    assert len(kernel.written) == 1, "more than one quote in an epoch"


def _absent() -> None:
    raise AttesterError("none here", check="attester.absent")


def judge_any(bundle: bytes, gateway: Gateway, policy: TeePolicy) -> Any:
    rule = AllOf(TrustedSigners(gateway.signer.public_key), RequireTee(policy))
    now = time.time()
    return veridical.verify(bundle, rule, now=now, tee=TeeContext(time=int(now)))


# --- epochs


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """A simulator that fails when it is told to."""

    def __init__(self) -> None:
        self.simulator = Simulator.of()
        self.fails = False
        self.count = 0

    def attest(self, value: bytes, /) -> Attestation:
        self.count += 1
        if self.fails:
            raise AttesterError("busy", check="attester.interface")
        return self.simulator.attest(value)


def test_the_key_is_quoted_again_before_its_epoch_ends() -> None:
    clock, attester, texts = Clock(), Counted(), iter(["a", "b", "c", "d"])
    key = AttestedKey(
        attester, SIGNER, checkpoint=lambda: next(texts), epoch_seconds=400, clock=clock
    )
    first = key.blob
    clock.now += 299
    assert not key.renew()
    assert attester.count == 1
    clock.now += 1
    assert key.renew()
    assert key.blob != first
    assert attester.count == 2
    attester.fails = True
    clock.now += 310
    assert not key.renew()
    assert not key.renew(), "asked again at once"
    assert attester.count == 3
    states = [key.is_over]
    clock.now += 90
    states.append(key.is_over)
    attester.fails = False
    assert key.renew()
    states.append(key.is_over)
    assert states == [False, True, False]


def test_a_gateway_without_a_quote_does_not_answer(
    gateway: Gateway, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway.attested is not None
    with monkeypatch.context() as over:
        over.setattr(gateway.attested, "_end", 0)
        over.setattr(gateway.attested, "_retry_at", float("inf"))
        assert http.get("/v2/health/ready").status_code == 503
        answer = http.post(INFER, json=body())
        assert (answer.status_code, answer.headers["Veridical-Error"]) == (503, "unavailable")
    assert http.post(INFER, json=body()).status_code == 200


def test_the_upkeep_renews_what_receipts_carry(
    gateway: Gateway, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evidence() -> tuple[bytes, ...]:
        bundle = http.post(INFER, json=body()).json()["parameters"]["receipt"].encode()
        return Receipt.from_bytes(bundle).evidence

    assert gateway.attested is not None
    before = evidence()
    monkeypatch.setattr(gateway.attested, "_end", time.time() + 60)
    deadline = time.monotonic() + 20
    while evidence() == before:
        assert time.monotonic() < deadline, "the quote was not renewed"
        time.sleep(0.1)
    assert isinstance(gateway.signer, PrivateKey)
