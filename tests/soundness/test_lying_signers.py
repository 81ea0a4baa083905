"""A signer who holds the key and lies: which check catches a lie in which field.

Every test signs honestly over a false statement, so no signature check can help. What is left is
what re-execution, the caller's own values and the policy show.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.toy import (
    GIVEN,
    NONCE,
    NOW,
    OTHER_PROGRAM,
    OTHER_SIGNER,
    SIGNER,
    STRICT,
    X,
    counting_salts,
    toy_receipt,
    toy_run,
)
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import (
    Error,
    EvidenceError,
    PolicyError,
    ProofError,
    ReexecutionError,
    SignatureError,
    StatementMismatchError,
    UndecidedError,
)
from veridical.policy import AllOf, MaxSaturation, TrustedModels
from veridical.receipt import (
    Envelope,
    EvidenceBlob,
    Predicate,
    Receipt,
    Reexecution,
    Reveal,
    Statement,
    issue,
)
from veridical.verifier import verify

if TYPE_CHECKING:
    from veridical.keys import PrivateKey

OTHER_DIGEST = "sha256:" + "ab" * 32


def signed(value: dict[str, Any], *, signer: PrivateKey = SIGNER, **changes: Any) -> Receipt:
    """Sign a statement given as JSON, whatever it says."""
    statement = Statement.from_value(value)
    predicate = Predicate.about(statement, tier="reexecution", issued_at=NOW, evidence=())
    envelope = Envelope.sign(replace(predicate, **changes), signer)
    return Receipt(statement=statement, envelopes=(envelope,))


def lie(path: str, value: Any) -> Receipt:
    """Sign the honest statement with one member replaced."""
    statement: Any = copy.deepcopy(toy_receipt().statement.to_value())
    *parents, last = path.split(".")
    inner = statement
    for name in parents:
        inner = inner[name]
    assert inner[last] != value, "this would be no lie"
    inner[last] = value
    return signed(statement)


def committed(field: str, tensors: dict[str, Any]) -> str:
    return str(Commitment.commit(field, tensors_to_bytes(tensors)))


OTHER_X = {"x": X["x"] + np.float32(1)}
OTHER_Y = {"y": toy_run().outputs["y"] + 1}
OTHER_INTEGERS = {"y": toy_run().integer_outputs["y"] + 1}


@pytest.mark.parametrize(
    ("path", "value", "error", "check"),
    [
        ("request_id", "order-4712", PolicyError, "policy"),
        ("request_id", "", PolicyError, "policy"),
        ("model.digest", OTHER_DIGEST, StatementMismatchError, "model"),
        ("input.received", committed("input.received", OTHER_X), StatementMismatchError, "input"),
        ("input.forwarded", committed("input.forwarded", OTHER_X), ReexecutionError, "tier"),
        (
            "input.integers",
            committed("input.integers", {"x": np.array([[1, 2, 3]], np.int32)}),
            ReexecutionError,
            "tier",
        ),
        ("input.saturated", 1, ReexecutionError, "tier"),
        (
            "output.integers",
            committed("output.integers", OTHER_INTEGERS),
            ReexecutionError,
            "tier",
        ),
        ("output.decoded", committed("output.decoded", OTHER_Y), StatementMismatchError, "output"),
        ("output.count", 2, ReexecutionError, "tier"),
        ("output.count", 4, ReexecutionError, "tier"),
    ],
)
def test_a_lie_in_a_field_is_rejected(
    path: str, value: Any, error: type[Error], check: str
) -> None:
    with pytest.raises(error) as caught:
        verify(lie(path, value), STRICT, **GIVEN)
    assert caught.value.check == check


def test_the_honest_statement_signed_in_the_same_way_is_accepted() -> None:
    statement = toy_receipt().statement.to_value()
    assert verify(signed(statement), STRICT, **GIVEN).statement.to_value() == statement


@pytest.mark.parametrize("path", ["parameters.template", "parameters.tokenizer"])
def test_what_this_version_cannot_apply_is_undecided(path: str) -> None:
    with pytest.raises(UndecidedError, match="cannot apply"):
        verify(lie(path, OTHER_DIGEST), STRICT, **GIVEN)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.aliases", {"oms-sha256": OTHER_DIGEST}),
        ("sequence", {"intent": "", "number": 5, "previous": OTHER_DIGEST, "stream": "s"}),
    ],
)
def test_what_is_the_signers_word_is_reported_as_the_signer_said(path: str, value: Any) -> None:
    # Nothing checks these, and the specification says so; they come back as they were signed.
    verified = verify(lie(path, value), STRICT, **GIVEN)
    statement: Any = verified.statement.to_value()
    for name in path.split("."):
        statement = statement[name]
    assert statement == value


@pytest.mark.parametrize(
    ("changes", "error", "check"),
    [
        ({"receipt_id": OTHER_DIGEST}, StatementMismatchError, "binding"),
        ({"output_digest": "ab" * 32}, StatementMismatchError, "binding"),
        ({"tier": "notary"}, EvidenceError, "evidence"),
        ({"tier": "zk"}, ProofError, "tier"),
        ({"tier": "Reexecution"}, EvidenceError, "evidence"),
        ({"critical": ("urn:example:x",)}, EvidenceError, "critical"),
    ],
)
def test_a_lie_in_the_payload_is_rejected(
    changes: dict[str, Any], error: type[Error], check: str
) -> None:
    receipt = signed(toy_receipt().statement.to_value(), **changes)
    with pytest.raises(error) as caught:
        verify(receipt, STRICT, **GIVEN)
    assert caught.value.check == check


def test_an_honest_receipt_of_another_signer_is_rejected() -> None:
    with pytest.raises(SignatureError, match="no envelope"):
        verify(toy_receipt(signer=OTHER_SIGNER), STRICT, **GIVEN)


def test_an_honest_receipt_for_another_question_is_rejected() -> None:
    receipt = toy_receipt(inputs=OTHER_X)
    with pytest.raises(StatementMismatchError) as caught:
        verify(receipt, STRICT, **GIVEN)
    assert caught.value.check == "input"


def test_an_honest_receipt_of_another_model_is_rejected() -> None:
    other = toy_run(program=OTHER_PROGRAM)
    receipt = issue(other, signer=SIGNER, nonce=NONCE, issued_at=NOW)
    with pytest.raises(StatementMismatchError) as caught:
        verify(receipt, STRICT, **{**GIVEN, "output": other.outputs})
    assert caught.value.check == "model"
    # The consumer who was talked into the other program still has the digest pinned.
    given = {**GIVEN, "output": other.outputs, "program": OTHER_PROGRAM}
    verify(receipt, STRICT, **given)
    with pytest.raises(PolicyError, match="trusted_models"):
        verify(receipt, AllOf(STRICT, TrustedModels(GIVEN["program"].digest)), **given)


def test_saturation_that_is_stated_honestly_is_for_the_policy_to_judge() -> None:
    wild = {"x": np.array([[1e9, -1e9, 0.5]], np.float32)}
    receipt = toy_receipt(inputs=wild)
    given = {**GIVEN, "input": wild, "output": toy_run(wild).outputs}
    assert verify(receipt, STRICT, **given).statement.input.saturated == 2
    with pytest.raises(PolicyError, match="2 elements saturated, allowed: 1"):
        verify(receipt, AllOf(STRICT, MaxSaturation(1)), **given)


def test_an_unencodable_input_under_an_honest_commitment_is_rejected() -> None:
    nothing = {"x": np.array([[np.nan, 0, 0]], np.float32)}
    statement: Any = copy.deepcopy(toy_receipt().statement.to_value())
    for field in ("received", "forwarded"):
        statement["input"][field] = committed(f"input.{field}", nothing)
    with pytest.raises(ReexecutionError, match="encoding the input failed"):
        verify(signed(statement), STRICT, **{**GIVEN, "input": nothing})


def test_a_digest_of_one_field_cannot_stand_in_another() -> None:
    # Where both fields hold the same tensors, only the field's name keeps their digests apart.
    statement = toy_receipt().statement
    with pytest.raises(ReexecutionError):
        verify(lie("input.forwarded", str(statement.input.received)), STRICT, **GIVEN)
    with pytest.raises(StatementMismatchError):
        verify(lie("input.received", str(statement.input.forwarded)), STRICT, **GIVEN)
    with pytest.raises(ReexecutionError):
        verify(lie("output.integers", str(statement.input.integers)), STRICT, **GIVEN)


def test_a_salted_digest_cannot_stand_as_a_plain_one_nor_the_reverse() -> None:
    private = toy_receipt(private=True)
    received = str(private.statement.input.received).replace("-salted", "")
    with pytest.raises(StatementMismatchError):
        verify(lie("input.received", received), STRICT, **GIVEN)
    plain = str(toy_receipt().statement.input.received).replace("sha256:", "sha256-salted:")
    receipt = replace(
        lie("input.received", plain), reveals={"input.received": Reveal(b"", bytes(32))}
    )
    with pytest.raises(StatementMismatchError):
        verify(receipt, STRICT, **GIVEN)


def test_a_receipt_id_is_no_commitment_and_no_evidence_digest() -> None:
    receipt = toy_receipt()
    content = receipt.statement.to_bytes()
    digests = {
        Commitment.commit(field, content).digest.hex() for field in receipt.statement.commitments()
    }
    digests.add(hashlib.sha256(content).hexdigest())
    assert receipt.receipt_id.removeprefix("sha256:") not in digests


def test_an_envelope_of_another_receipt_is_rejected() -> None:
    mine, yours = toy_receipt(), toy_receipt(inputs=OTHER_X)
    with pytest.raises(StatementMismatchError) as caught:
        verify(replace(mine, envelopes=yours.envelopes), STRICT, **GIVEN)
    assert caught.value.check == "binding"


def test_a_wrong_trace_root_is_rejected_and_the_right_one_is_accepted() -> None:
    class Liar(Reexecution):
        def make(self, run: Any, statement: Any) -> tuple[EvidenceBlob, ...]:
            (blob,) = super().make(run, statement)
            return (EvidenceBlob(blob.type, blob.content[::-1]),)

    run = toy_run()
    options: Any = {"signer": SIGNER, "nonce": NONCE, "issued_at": NOW}
    honest = issue(run, evidence=Reexecution(trace_root=True), **options)
    assert any("trace root" in c.detail for c in verify(honest, STRICT, **GIVEN).checks)
    with pytest.raises(ReexecutionError, match="trace root"):
        verify(issue(run, evidence=Liar(trace_root=True), **options), STRICT, **GIVEN)


def test_salts_differ_between_fields() -> None:
    receipt = issue(
        toy_run(), signer=SIGNER, private=True, issued_at=NOW, random_bytes=counting_salts()
    )
    assert len({reveal.salt for reveal in receipt.reveals.values()}) == 5
