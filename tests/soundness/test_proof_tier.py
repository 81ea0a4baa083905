"""Tier `zk` through receipts: what a proof shows; every way to stretch it is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import NONCE, NOW, OTHER_SIGNER, SIGNER
from veridical import zk
from veridical.commitment import tensors_to_bytes
from veridical.errors import InputError, PolicyError, ProgramMissingError, ProofError
from veridical.policy import AllOf, MinSoundnessBits, RequireTier, TrustedSigners
from veridical.receipt import Receipt
from veridical.receipt.envelope import Envelope, Predicate
from veridical.receipt.evidence import EvidenceBlob
from veridical.verifier import Standing, Verified
from veridical.zk import PROOF_TYPE, ProofEvidence, Zk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

POLICY = AllOf(TrustedSigners(SIGNER.public_key), RequireTier("zk"), MinSoundnessBits(100))
X: dict[str, NDArray[Any]] = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}


@pytest.fixture(scope="module")
def program() -> veridical.Program:
    return veridical.load(ROOT / "vectors" / "program" / "example.vprog")


@pytest.fixture(scope="module")
def key(program: veridical.Program) -> veridical.Program:
    return veridical.Program.from_bytes(program.to_bytes(vkey=True))


def receipt_of(
    program: veridical.Program, x: dict[str, NDArray[Any]] = X, nonce: str = NONCE
) -> Receipt:
    run = veridical.run(program, x)
    return veridical.issue(run, signer=SIGNER, evidence=Zk(), nonce=nonce, issued_at=NOW)


@pytest.fixture(scope="module")
def receipt(program: veridical.Program) -> Receipt:
    return receipt_of(program)


def check(receipt: Receipt, program: veridical.Program | None, **given: Any) -> Verified:
    return veridical.verify(receipt, POLICY, now=NOW, input=given.pop("input", X), program=program)


def evidence_of(receipt: Receipt) -> ProofEvidence:
    return ProofEvidence.from_bytes(receipt.evidence[0])


def with_evidence(receipt: Receipt, evidence: ProofEvidence | bytes) -> Receipt:
    """Sign other evidence for the same statement: a signer who lies."""
    content = evidence if isinstance(evidence, bytes) else evidence.to_bytes()
    blob = EvidenceBlob(PROOF_TYPE, content)
    predicate = Predicate.about(
        receipt.statement, tier="zk", issued_at=NOW, evidence=(blob.descriptor,)
    )
    envelope = Envelope.sign(predicate, SIGNER)
    return replace(receipt, envelopes=(envelope,), evidence=(content,))


def test_proof_is_accepted_with_the_program(receipt: Receipt, program: veridical.Program) -> None:
    verified = check(receipt, program)
    assert verified.tier == "zk"
    assert verified.soundness_bits >= 100
    assert verified.properties == {
        "model": Standing.MATCHED_AND_PROVEN,
        "input": Standing.MATCHED,
        "output": Standing.PROVEN,
    }
    assert any("committed to again" in line for line in verified.assumptions)


def test_verification_key_suffices_and_the_verdict_says_what_it_rests_on(
    receipt: Receipt, key: veridical.Program
) -> None:
    verified = check(receipt, key)
    assert verified.tier == "zk"
    assert any("signer's word" in line for line in verified.assumptions if "weights" in line)
    assert verified.properties["model"] is Standing.MATCHED
    assert verified.properties["output"] is Standing.PROVEN


def test_without_a_program_it_is_undecided(receipt: Receipt) -> None:
    with pytest.raises(ProgramMissingError):
        check(receipt, None)


def test_receipt_is_upgraded_without_another_id(program: veridical.Program) -> None:
    run = veridical.run(program, X)
    cheap = veridical.issue(run, signer=SIGNER, nonce=NONCE, issued_at=NOW)
    with pytest.raises(PolicyError):
        check(cheap, program)
    upgraded = veridical.upgrade(cheap, run, signer=SIGNER, evidence=Zk(), issued_at=NOW)
    assert upgraded.receipt_id == cheap.receipt_id
    assert check(upgraded, program).receipt_id == cheap.receipt_id


def test_runs_of_several_sizes_share_one_proof(program: veridical.Program) -> None:
    xs = [X, {"x": np.tile(X["x"], (3, 1)) * np.float32(0.5)}, {"x": X["x"] * np.float32(-1)}]
    runs = [veridical.run(program, x) for x in xs]
    receipts = [
        veridical.issue(run, signer=SIGNER, nonce=str(i), issued_at=NOW)
        for i, run in enumerate(runs)
    ]
    proof = zk.prove(
        [(run, receipt.statement) for run, receipt in zip(runs, receipts, strict=True)]
    )
    for x, run, receipt in zip(xs, runs, receipts, strict=True):
        evidence = Zk(proof=proof)
        proven = veridical.upgrade(receipt, run, signer=SIGNER, evidence=evidence, issued_at=NOW)
        assert check(proven, program, input=x).tier == "zk"
    stranger = veridical.issue(runs[0], signer=SIGNER, nonce="another", issued_at=NOW)
    with pytest.raises(InputError, match="does not cover"):
        veridical.upgrade(stranger, runs[0], signer=SIGNER, evidence=Zk(proof=proof))


def test_stages_are_told_in_order(program: veridical.Program) -> None:
    run = veridical.run(program, X)
    cheap = veridical.issue(run, signer=SIGNER, issued_at=NOW)
    stages: list[str] = []
    zk.prove([(run, cheap.statement)], progress=stages.append)
    assert stages == list(zk.STAGES)


@pytest.mark.parametrize("nonce", ["", "another"])
def test_proof_of_another_nonce_is_refused(
    receipt: Receipt, program: veridical.Program, nonce: str
) -> None:
    other = receipt_of(program, nonce=nonce)
    with pytest.raises(ProofError, match="about other statements"):
        check(with_evidence(receipt, evidence_of(other)), program)


def test_statement_digest_is_bound_by_the_proof(
    receipt: Receipt, program: veridical.Program
) -> None:
    other = evidence_of(receipt_of(program, nonce="another"))
    own = evidence_of(receipt)
    lie = replace(other, members=own.members)
    with pytest.raises(ProofError, match="proof"):
        check(with_evidence(receipt, lie), program)


def test_proof_of_another_input_is_refused(receipt: Receipt, program: veridical.Program) -> None:
    other = receipt_of(program, {"x": X["x"] * np.float32(0.5)})
    own = evidence_of(receipt)
    lie = replace(evidence_of(other), members=own.members)
    with pytest.raises(ProofError):
        check(with_evidence(receipt, lie), program)


def test_changed_output_integers_are_refused(receipt: Receipt, program: veridical.Program) -> None:
    evidence = evidence_of(receipt)
    run = veridical.run(program, X)
    wrong = {name: array + np.int32(1) for name, array in run.integer_outputs.items()}
    member = replace(evidence.members[0], outputs=tensors_to_bytes(wrong))
    with pytest.raises(ProofError, match=r"output\.integers"):
        check(with_evidence(receipt, replace(evidence, members=(member,))), program)


def test_statement_of_another_output_is_refused(program: veridical.Program) -> None:
    """A signer who states a wrong answer cannot prove it with the proof of the right one."""
    run = veridical.run(program, X)
    wrong = {name: array + np.int32(1) for name, array in run.integer_outputs.items()}
    lying = replace(run, integer_outputs=wrong, outputs=program.decode(wrong))
    lie = veridical.issue(lying, signer=SIGNER, nonce=NONCE, issued_at=NOW)
    honest = evidence_of(receipt_of(program))
    members = (
        replace(
            honest.members[0],
            statement=bytes.fromhex(lie.receipt_id.removeprefix("sha256:")),
            outputs=tensors_to_bytes(wrong),
        ),
    )
    with pytest.raises(ProofError):
        check(with_evidence(lie, replace(honest, members=members)), program)


@pytest.mark.parametrize("with_weights", [True, False])
def test_another_weight_root_is_refused(
    receipt: Receipt, program: veridical.Program, key: veridical.Program, *, with_weights: bool
) -> None:
    evidence = evidence_of(receipt)
    root = bytes([evidence.weight_root[0] ^ 1]) + evidence.weight_root[1:]
    lie = with_evidence(receipt, replace(evidence, weight_root=root))
    with pytest.raises(ProofError, match="other weights" if with_weights else "proof"):
        check(lie, program if with_weights else key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"soundness_bits": 255}, "255 bits"),
        ({"profile": "strong"}, "proof of work"),
        ({"profile": "weakest"}, "profile"),
        ({"proof": b"\0"}, "proof"),
    ],
)
def test_changed_evidence_is_refused(
    receipt: Receipt, program: veridical.Program, change: dict[str, Any], message: str
) -> None:
    evidence = replace(evidence_of(receipt), **change)
    with pytest.raises(ProofError, match=message):
        check(with_evidence(receipt, evidence), program)


@pytest.mark.parametrize(
    "foreign", [{"y": np.zeros((1, 3), np.int32)}, {"x": np.zeros((1, 4), np.int32)}]
)
def test_foreign_members_that_do_not_fit_the_program_are_a_rejection(
    receipt: Receipt, program: veridical.Program, foreign: dict[str, NDArray[np.int32]]
) -> None:
    evidence = evidence_of(receipt)
    own = replace(
        evidence.members[0], inputs=tensors_to_bytes(veridical.run(program, X).encoded.tensors)
    )
    other = replace(own, statement=b"\x07" * 32, inputs=tensors_to_bytes(foreign))
    lie = with_evidence(receipt, replace(evidence, members=(own, other)))
    with pytest.raises(ProofError, match="checking the proof"):
        check(lie, program)


MUTATIONS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda proof: proof[:-1],
    "extended": lambda proof: proof + b"\0",
    "first byte": lambda proof: bytes([proof[0] ^ 1]) + proof[1:],
    "last byte": lambda proof: proof[:-1] + bytes([proof[-1] ^ 1]),
    "empty": lambda _: b"\0" * 32,
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_changed_proof_is_refused(receipt: Receipt, program: veridical.Program, name: str) -> None:
    evidence = evidence_of(receipt)
    lie = replace(evidence, proof=MUTATIONS[name](evidence.proof))
    with pytest.raises(ProofError):
        check(with_evidence(receipt, lie), program)


def test_policy_may_ask_for_more_bits(receipt: Receipt, program: veridical.Program) -> None:
    policy = AllOf(TrustedSigners(SIGNER.public_key), MinSoundnessBits(127))
    with pytest.raises(PolicyError, match="required: 127"):
        veridical.verify(receipt, policy, now=NOW, input=X, program=program)


def test_strong_profile_has_128_bits(program: veridical.Program) -> None:
    run = veridical.run(program, X)
    strong = veridical.issue(run, signer=SIGNER, evidence=Zk(profile="strong"), issued_at=NOW)
    assert check(strong, program).soundness_bits >= 128


def test_signature_of_a_stranger_does_not_count(
    program: veridical.Program,
) -> None:
    run = veridical.run(program, X)
    foreign = veridical.issue(run, signer=OTHER_SIGNER, evidence=Zk(), issued_at=NOW)
    with pytest.raises(veridical.errors.SignatureError):
        check(foreign, program)
