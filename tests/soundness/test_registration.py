"""Registration proofs: what a verification key then rests on, and every way to stretch one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import NONCE, NOW, SIGNER
from veridical import zk
from veridical.errors import InputError, ProgramMissingError, ProofError, UndecidedError
from veridical.policy import TrustedSigners
from veridical.verifier import Verified
from veridical.zk import RegistrationProof, Zk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from veridical.receipt import Receipt

VECTORS = ROOT / "vectors" / "program"
X: dict[str, NDArray[Any]] = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}


@pytest.fixture(scope="module")
def program() -> veridical.Program:
    return veridical.load(VECTORS / "example.vprog")


@pytest.fixture(scope="module")
def registration(program: veridical.Program) -> RegistrationProof:
    return zk.register(program)


@pytest.fixture(scope="module")
def receipt(program: veridical.Program) -> Receipt:
    run = veridical.run(program, X)
    return veridical.issue(run, signer=SIGNER, evidence=Zk(), nonce=NONCE, issued_at=NOW)


def key_of(program: veridical.Program) -> veridical.Program:
    return veridical.Program.from_bytes(program.to_bytes(vkey=True))


def check(receipt: Receipt, key: veridical.Program) -> Verified:
    policy = TrustedSigners(SIGNER.public_key)
    return veridical.verify(receipt, policy, now=NOW, input=X, program=key)


def test_ranges_are_nobodys_word_with_a_registration(
    program: veridical.Program, registration: RegistrationProof, receipt: Receipt
) -> None:
    key = key_of(program)
    (before,) = [line for line in check(receipt, key).assumptions if line.startswith("weights")]
    assert "keep the declared ranges, is the signer's word" in before
    assert registration.attach(key) == registration.soundness_bits >= 100
    verified = check(receipt, key)
    (after,) = [line for line in verified.assumptions if line.startswith("weights")]
    assert "keep every declared range, by a registration proof" in after
    assert "word of the signer" in after
    # Both proofs can fail: their errors add up.
    alone = check(receipt, key_of(program)).soundness_bits
    assert alone is not None
    assert verified.soundness_bits == min(alone, registration.soundness_bits) - 1


def test_registration_has_one_encoding(registration: RegistrationProof, tmp_path: Path) -> None:
    path = tmp_path / "M.vreg"
    registration.save(path)
    assert RegistrationProof.load(path) == registration
    assert path.read_bytes() == registration.to_bytes()
    content = registration.to_bytes()
    for hostile in (b"", content[:-1], content + b"\0", b"\xff" * 64, content[1:]):
        with pytest.raises(ProofError, match=r"registration|malformed"):
            RegistrationProof.from_bytes(hostile)
    with pytest.raises(InputError, match="cannot read"):
        RegistrationProof.load(tmp_path / "nothing.vreg")
    with pytest.raises(InputError, match="cannot write"):
        registration.save(tmp_path / "nowhere" / "M.vreg")


def test_changed_bytes_are_refused(
    program: veridical.Program, registration: RegistrationProof
) -> None:
    key = key_of(program)
    content = registration.to_bytes()
    random = np.random.default_rng(7)
    for position in random.integers(0, len(content), size=120):
        changed = bytearray(content)
        changed[position] ^= 1 << int(random.integers(0, 8))
        with pytest.raises(ProofError):
            RegistrationProof.from_bytes(bytes(changed)).attach(key)
    assert key.registrations == {}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model_digest": bytes(32)}, "of model"),
        ({"weight_root": bytes(32)}, "does not add up"),
        ({"soundness_bits": 99}, "claims 99 bits"),
        ({"profile": "strong"}, "work"),
        ({"proof": b""}, "ends"),
    ],
)
def test_every_field_is_checked(
    program: veridical.Program,
    registration: RegistrationProof,
    change: dict[str, Any],
    problem: str,
) -> None:
    with pytest.raises(ProofError, match=problem):
        replace(registration, **change).attach(key_of(program))


def test_registration_of_another_model_is_refused(registration: RegistrationProof) -> None:
    other = veridical.load(VECTORS / "op_linear.vprog")
    with pytest.raises(ProofError, match="of model"):
        registration.attach(key_of(other))


def test_receipt_under_another_root_is_refused(
    program: veridical.Program, registration: RegistrationProof, receipt: Receipt
) -> None:
    key = key_of(program)
    # As if the holder of the model had registered other weights under its name.
    key.registrations["standard"] = replace(registration, weight_root=bytes(32))
    with pytest.raises(ProofError, match="other weights than those registered"):
        check(receipt, key)


def test_registration_of_another_profile_decides_nothing(
    program: veridical.Program, receipt: Receipt
) -> None:
    key = key_of(program)
    strong = zk.register(program, profile="strong")
    assert strong.attach(key) >= 128
    with pytest.raises(UndecidedError, match="profile standard"):
        check(receipt, key)


def test_a_key_cannot_be_registered(program: veridical.Program) -> None:
    with pytest.raises(ProgramMissingError):
        zk.register(key_of(program))
    with pytest.raises(InputError, match="none of"):
        zk.register(program, profile="weak")


def test_program_without_weights_has_nothing_to_register() -> None:
    program = veridical.load(VECTORS / "op_add.vprog")
    with pytest.raises(InputError, match="without weights"):
        zk.register(program)


def test_costs_are_known_before(
    program: veridical.Program, registration: RegistrationProof
) -> None:
    expected = zk.registration_costs(program)
    assert expected.soundness_bits == registration.soundness_bits
    assert expected.memory > 0
    assert expected.lookup_slots > 0


def test_progress_is_told_every_stage(program: veridical.Program) -> None:
    told: list[str] = []
    zk.register(program, progress=told.append)
    assert told == [*zk.REGISTRATION_STAGES]
