"""Issuing: what an issuer may state, and what it is told where it may not."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.toy import NOW, OTHER_SIGNER, SIGNER, ToyProgram, X, toy_receipt, toy_run
from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import InputError
from veridical.receipt import EvidenceBlob, Predicate, Receipt, Reexecution, issue, upgrade

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0" * 64


def test_a_statement_says_what_the_run_did() -> None:
    run = toy_run({"x": np.array([[1e9, 0.5]], np.float32)})
    statement = issue(run, signer=SIGNER, nonce="n", issued_at=NOW).statement
    assert statement.request_id == "n"
    assert statement.model.digest == "sha256:" + run.program.digest.hex()
    assert statement.input.saturated == 1
    assert statement.output.count == 2
    assert statement.parameters.is_empty
    values = {
        "input.received": run.inputs,
        "input.forwarded": run.inputs,
        "input.integers": run.encoded.tensors,
        "output.integers": run.integer_outputs,
        "output.decoded": run.outputs,
    }
    for field, commitment in statement.commitments().items():
        assert not commitment.is_salted
        assert commitment.opens_to(field, tensors_to_bytes(values[field]), salt=None)


def test_a_private_receipt_carries_fresh_salts_and_no_values() -> None:
    first, second = (issue(toy_run(), signer=SIGNER, private=True) for _ in range(2))
    assert set(first.reveals) == set(first.statement.commitments())
    assert all(len(r.salt) == 32 and not r.content for r in first.reveals.values())
    salts = [r.salt for receipt in (first, second) for r in receipt.reveals.values()]
    assert len(set(salts)) == 10
    assert first.receipt_id != second.receipt_id


def test_a_private_statement_says_nothing_about_equal_inputs() -> None:
    receipt = toy_receipt(private=True)
    digests = [commitment.digest for commitment in receipt.statement.commitments().values()]
    assert len(set(digests)) == len(digests)
    plain = {c.digest for c in toy_receipt().statement.commitments().values()}
    assert not plain & set(digests)


def test_a_revealed_input_is_the_received_one() -> None:
    reveal = toy_receipt(reveal=True).reveals["input.received"]
    assert (tensors_from_bytes(reveal.content)["x"] == X["x"]).all()
    assert reveal.salt == b""


def test_aliases_of_the_program_are_stated() -> None:
    program = ToyProgram(aliases={"oms-sha256": DIGEST, "a": DIGEST})
    statement = issue(toy_run(program=program), signer=SIGNER).statement
    assert statement.model.aliases == (("a", DIGEST), ("oms-sha256", DIGEST))


def test_the_time_of_issue_is_the_present_unless_it_is_given() -> None:
    before = int(time.time())
    payload = issue(toy_run(), signer=SIGNER).envelopes[0].payload
    assert before <= Predicate.from_bytes(payload, where="test").issued_at <= int(time.time())


@pytest.mark.parametrize(
    "options",
    [
        {"nonce": "ä"},
        {"nonce": "n" * 257},
        {"nonce": 'a"b'},
        {"issued_at": -1},
        {"issued_at": 1.5},
        {"issued_at": 2**53},
    ],
)
def test_what_no_verifier_would_parse_is_not_issued(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        issue(toy_run(), signer=SIGNER, **options)


def test_aliases_that_no_verifier_would_parse_are_not_issued() -> None:
    with pytest.raises(InputError, match="alias"):
        issue(toy_run(program=ToyProgram(aliases={"a": "none"})), signer=SIGNER)


def test_a_receipt_that_no_verifier_would_read_is_not_issued() -> None:
    large = {"x": np.zeros((1, 4 * 2**20), np.float32)}
    issue(toy_run(large), signer=SIGNER)
    with pytest.raises(InputError, match="verifiers take"):
        issue(toy_run(large), signer=SIGNER, reveal=True)


def test_integers_of_another_width_are_not_stated() -> None:
    run = toy_run()
    wide = {"y": run.integer_outputs["y"].astype(np.int64)}
    object.__setattr__(run, "integer_outputs", wide)
    with pytest.raises(InputError, match="int32"):
        issue(run, signer=SIGNER)


def test_evidence_is_bound_by_digest_size_and_type() -> None:
    run = toy_run()
    receipt = issue(run, signer=SIGNER, evidence=Reexecution(trace_root=True), issued_at=NOW)
    predicate = Predicate.from_bytes(receipt.envelopes[0].payload, where="test")
    (descriptor,) = predicate.evidence
    assert receipt.evidence == (run.trace.root,)
    assert descriptor == EvidenceBlob(descriptor.type, run.trace.root).descriptor
    assert predicate.receipt_id == receipt.receipt_id


def test_the_same_evidence_is_carried_once() -> None:
    traced = Reexecution(trace_root=True)
    receipt = issue(toy_run(), signer=SIGNER, evidence=traced, issued_at=NOW)
    both = upgrade(receipt, toy_run(), signer=OTHER_SIGNER, evidence=traced, issued_at=NOW)
    assert len(both.envelopes) == 2
    assert len(both.evidence) == 1


def test_a_receipt_is_not_upgraded_beyond_what_a_verifier_reads() -> None:
    receipt = toy_receipt()
    for second in range(15):
        receipt = upgrade(receipt, toy_run(), signer=SIGNER, issued_at=NOW + 1 + second)
    assert len(receipt.envelopes) == 16
    with pytest.raises(InputError, match="more than 16"):
        upgrade(receipt, toy_run(), signer=SIGNER, issued_at=NOW + 100)


def test_the_same_upgrade_twice_is_refused() -> None:
    with pytest.raises(InputError, match="stands twice"):
        upgrade(toy_receipt(), toy_run(), signer=SIGNER, issued_at=NOW)


def test_a_receipt_is_written_where_it_can_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write the receipt"):
        toy_receipt().save(tmp_path / "missing" / "a.receipt.json")
    with pytest.raises(InputError, match="cannot write the key"):
        SIGNER.public_key.save(tmp_path)


def test_a_receipt_without_reveals_is_the_same_receipt() -> None:
    receipt = toy_receipt(private=True, reveal=True)
    assert replace(receipt, reveals={}) == receipt.without_reveals()
    assert isinstance(receipt.without_reveals(), Receipt)


def test_the_longest_nonce_is_issued_and_read_back() -> None:
    receipt = issue(toy_run(), signer=SIGNER, nonce="n" * 256, issued_at=0)
    assert Receipt.from_bytes(receipt.to_bytes()).statement.request_id == "n" * 256


def test_a_run_of_another_program_is_no_upgrade() -> None:
    with pytest.raises(InputError, match="another program") as caught:
        upgrade(toy_receipt(), toy_run(program=ToyProgram(offset=-2)), signer=SIGNER)
    assert caught.value.where == "model.digest"
