"""Verification: verdicts, undecided cases, and every check in its order."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import (
    GIVEN,
    NONCE,
    NOW,
    OTHER_SIGNER,
    P256_SIGNER,
    PROGRAM,
    SIGNER,
    STRICT,
    ToyProgram,
    X,
    toy_receipt,
    toy_run,
)
from veridical.commitment import tensors_to_bytes
from veridical.errors import (
    EvidenceError,
    InputError,
    MalformedError,
    PolicyError,
    ProgramMissingError,
    RevealMissingError,
    SignatureError,
    StatementMismatchError,
    UndecidedError,
)
from veridical.policy import (
    AllOf,
    AnyOf,
    MaxAge,
    RequireTier,
    TrustedSigners,
    UnsafeAcceptAnything,
)
from veridical.policy.facts import RuleResult
from veridical.receipt import Receipt, Reexecution, Reveal, issue, upgrade
from veridical.verifier import CHECKS, Standing, Status, explain, verify

if TYPE_CHECKING:
    from pathlib import Path

SIGNED = TrustedSigners(SIGNER.public_key)


def given(**changes: Any) -> dict[str, Any]:
    return {**GIVEN, **changes}


def statuses(report: Any) -> dict[str, str]:
    return {check.name: check.status.value for check in report.checks}


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("signer", [SIGNER, P256_SIGNER], ids=["ed25519", "p256"])
def test_an_honest_receipt_is_accepted(signer: Any, *, private: bool) -> None:
    receipt = toy_receipt(private=private, signer=signer)
    verified = verify(receipt, STRICT, **GIVEN)
    assert verified.receipt_id == receipt.receipt_id
    assert verified.statement == receipt.statement
    assert verified.tier == "reexecution"
    assert verified.signer == signer.public_key
    assert verified.issued_at == NOW
    assert verified.properties == {
        "model": Standing.MATCHED_AND_REEXECUTED,
        "input": Standing.MATCHED,
        "output": Standing.MATCHED_AND_REEXECUTED,
    }
    assert any("re-execution" in assumption for assumption in verified.assumptions)
    assert [check.number for check in verified.checks] == list(CHECKS)
    assert json.dumps(verified.to_value())


def test_a_receipt_is_taken_parsed_as_bytes_and_as_a_path(tmp_path: Path) -> None:
    receipt = toy_receipt()
    receipt.save(tmp_path / "a.receipt.json")
    for source in (
        receipt,
        receipt.to_bytes(),
        tmp_path / "a.receipt.json",
        str(tmp_path / "a.receipt.json"),
    ):
        assert verify(source, STRICT, **GIVEN).receipt_id == receipt.receipt_id


def test_values_may_be_given_as_canonical_bytes_and_as_plain_lists() -> None:
    as_bytes = given(input=tensors_to_bytes(X), output=tensors_to_bytes(toy_run().outputs))
    verify(toy_receipt(), STRICT, **as_bytes)
    verify(toy_receipt(), STRICT, **given(output={"y": toy_run().outputs["y"].tolist()}))


def test_a_revealed_input_lets_anybody_run_the_program_again() -> None:
    receipt = toy_receipt(reveal=True)
    verified = verify(receipt, SIGNED, now=NOW, program=PROGRAM)
    assert verified.properties == {
        "model": Standing.MATCHED_AND_REEXECUTED,
        "input": Standing.REVEALED,
        "output": Standing.REEXECUTED,
    }


@pytest.mark.parametrize(
    ("receipt", "changes", "error"),
    [
        (toy_receipt(), {"program": None}, ProgramMissingError),
        (toy_receipt(), {"input": None}, RevealMissingError),
        (toy_receipt(private=True).without_reveals(), {}, RevealMissingError),
        (toy_receipt(private=True).without_reveals(), {"output": None}, RevealMissingError),
        (toy_receipt(), {"output": None}, RevealMissingError),
        (toy_receipt(reveal=True), {"input": None}, RevealMissingError),
    ],
    ids=["program", "input", "salts", "input_salt", "output", "reveal_is_not_the_callers_word"],
)
def test_what_lacks_something_is_undecided_and_never_accepted(
    receipt: Receipt, changes: dict[str, Any], error: type[UndecidedError]
) -> None:
    with pytest.raises(error):
        verify(receipt, STRICT, **given(**changes))
    assert explain(receipt, STRICT, **given(**changes)).verdict == "undecided"


def test_a_mismatch_wins_over_a_missing_program() -> None:
    with pytest.raises(StatementMismatchError):
        verify(toy_receipt(), STRICT, **given(program=None, input={"x": X["x"] + 1}))


def test_missing_salts_leave_other_fields_undecided_even_if_one_is_revealed() -> None:
    receipt = toy_receipt(private=True, reveal=True)
    received = receipt.reveals["input.received"]
    alone = replace(receipt, reveals={"input.received": received})
    report = explain(alone, SIGNED, now=NOW, program=PROGRAM)
    assert report.verdict == "undecided"
    assert isinstance(report.error, RevealMissingError)
    assert "input.forwarded" in str(report.error)


def test_a_verification_key_cannot_run_and_so_decides_nothing() -> None:
    class KeyOnly(ToyProgram):
        def execute(self, tensors: Any) -> Any:
            raise ProgramMissingError("a verification key cannot be run")

    with pytest.raises(ProgramMissingError):
        verify(toy_receipt(), STRICT, **given(program=KeyOnly()))


def test_a_trace_root_is_undecided_where_the_engine_gives_no_trace() -> None:
    class Untraced:
        digest, aliases = PROGRAM.digest, PROGRAM.aliases
        encode, execute, decode = PROGRAM.encode, PROGRAM.execute, PROGRAM.decode

    receipt = issue(
        toy_run(),
        signer=SIGNER,
        nonce=NONCE,
        evidence=Reexecution(trace_root=True),
        issued_at=NOW,
    )
    verify(receipt, STRICT, **GIVEN)
    with pytest.raises(UndecidedError, match="no trace"):
        verify(receipt, STRICT, **given(program=Untraced()))


def test_stripped_evidence_is_missed() -> None:
    receipt = issue(toy_run(), signer=SIGNER, evidence=Reexecution(trace_root=True), issued_at=NOW)
    with pytest.raises(EvidenceError, match="not in the bundle"):
        verify(replace(receipt, evidence=()), SIGNED, **GIVEN)


def test_a_tier_that_was_asked_for_is_never_replaced_by_a_weaker_one() -> None:
    policy = AllOf(SIGNED, RequireTier("zk"))
    with pytest.raises(PolicyError, match="require_tier"):
        verify(toy_receipt(), policy, **GIVEN)


def test_all_rules_look_at_one_envelope() -> None:
    # A stale one by the trusted signer and a fresh one by another do not add up.
    stale = issue(toy_run(), signer=SIGNER, issued_at=NOW - 1000)
    both = upgrade(stale, toy_run(), signer=OTHER_SIGNER, issued_at=NOW)
    either = TrustedSigners(SIGNER.public_key, OTHER_SIGNER.public_key)
    with pytest.raises(PolicyError):
        verify(both, AllOf(SIGNED, MaxAge(60), AnyOf(either, SIGNED)), **GIVEN)
    verified = verify(both, AllOf(either, MaxAge(60)), **GIVEN)
    assert verified.signer == OTHER_SIGNER.public_key


def test_envelopes_of_strangers_are_skipped_and_do_no_harm() -> None:
    receipt = upgrade(toy_receipt(), toy_run(), signer=OTHER_SIGNER, issued_at=NOW)
    report = explain(receipt, STRICT, **GIVEN)
    assert report.verdict == "accepted"
    skipped = [check for check in report.checks if check.status is Status.SKIPPED]
    assert [(check.name, check.envelope) for check in skipped] == [
        ("signer", 1),
        ("log", None),
        ("seed", None),
    ]


def test_an_upgrade_keeps_statement_and_receipt_id() -> None:
    receipt = toy_receipt(private=True)
    evidence = Reexecution(trace_root=True)
    stronger = upgrade(receipt, toy_run(), signer=P256_SIGNER, evidence=evidence, issued_at=NOW)
    assert stronger.receipt_id == receipt.receipt_id
    assert stronger.statement == receipt.statement
    assert stronger.envelopes[0] == receipt.envelopes[0]
    assert len(stronger.envelopes) == 2
    assert len(stronger.evidence) == 1


def test_an_upgrade_by_another_run_is_refused() -> None:
    other = toy_run({"x": X["x"] + np.float32(1)})
    with pytest.raises(InputError, match="differs") as caught:
        upgrade(toy_receipt(), other, signer=SIGNER)
    assert caught.value.where == "input.received"
    with pytest.raises(InputError, match="does not carry its salt"):
        upgrade(toy_receipt(private=True).without_reveals(), toy_run(), signer=SIGNER)


def test_a_policy_without_signers_rejects() -> None:
    with pytest.raises(SignatureError, match="no envelope is signed"):
        verify(toy_receipt(), RequireTier("reexecution"), **GIVEN)


def test_a_receipt_without_envelopes_is_rejected() -> None:
    with pytest.raises(SignatureError, match="no envelope is signed"):
        verify(replace(toy_receipt(), envelopes=()), STRICT, **GIVEN)


def test_accepting_anything_still_compares_what_was_given() -> None:
    bare = replace(toy_receipt(), envelopes=())
    verified = verify(bare, UnsafeAcceptAnything(), now=NOW)
    assert verified.tier is None
    assert verified.signer is None
    assert set(verified.properties.values()) == {Standing.COMMITTED_ONLY}
    assert verify(bare, UnsafeAcceptAnything(), **GIVEN).properties["output"] is Standing.MATCHED
    with pytest.raises(StatementMismatchError):
        verify(bare, UnsafeAcceptAnything(), now=NOW, input={"x": X["x"] + 1})
    with pytest.raises(MalformedError):
        verify(b"", UnsafeAcceptAnything(), now=NOW)


def test_negative_zero_is_not_the_callers_zero() -> None:
    zero, negative = ({"x": np.array([[v, 1, 2]], np.float32)} for v in (0.0, -0.0))
    receipt = toy_receipt(inputs=zero)
    answer = toy_run(zero).outputs
    verify(receipt, STRICT, **given(input=zero, output=answer))
    with pytest.raises(StatementMismatchError):
        verify(receipt, STRICT, **given(input=negative, output=answer))


@pytest.mark.parametrize(
    "reveals",
    [
        {"input.received": Reveal(tensors_to_bytes({"x": X["x"] + 1}), b"")},
        {"input.received": Reveal(tensors_to_bytes(X), bytes(32))},
        {"input.received": Reveal(b"\x01", b"")},
        {"output.decoded": Reveal(tensors_to_bytes(X), b"")},
        {"output.decoded": Reveal(b"", bytes(32))},
    ],
)
def test_a_reveal_that_does_not_open_is_rejected(reveals: dict[str, Reveal]) -> None:
    with pytest.raises(StatementMismatchError) as caught:
        verify(replace(toy_receipt(), reveals=reveals), STRICT, **GIVEN)
    assert caught.value.check == "reveals"


@pytest.mark.parametrize(
    "arguments",
    [
        {"now": "yesterday"},
        {"now": None},
        {"now": True},
        {"now": float("nan")},
        {"now": float("inf")},
        {"now": 10**400},
        {"now": -(10**400)},
        {"input": X["x"]},
        {"input": 3},
        {"input": {}},
        {"input": {"x": "text"}},
        {"input": {"x": [None]}},
        {"input": {"x": [[1], [1, 2]]}},
        {"input": {"\ud800": [1.0]}},
        {"input": b"not tensors"},
        {"output": [1, 2]},
        {"program": "model.vprog"},
        {"program": object()},
    ],
)
def test_a_mistake_of_the_caller_is_no_verdict(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        explain(toy_receipt(), STRICT, **given(**arguments))


@pytest.mark.parametrize("answer", [0, 1, 2, True, False, None, "accepted"])
def test_a_rule_that_answers_with_no_result_never_accepts(answer: Any) -> None:
    class Mine:
        needs_signature = True

        def signers(self) -> list[Any]:
            return [SIGNER.public_key]

        def evaluate(self, _facts: Any, /) -> RuleResult:
            return RuleResult(answer, "mine", "who knows")

    assert explain(toy_receipt(), Mine(), **GIVEN).verdict == "rejected"


@pytest.mark.parametrize("policy", [None, {}, "policy.toml", TrustedSigners, [SIGNED]])
def test_something_that_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises(InputError, match="not a policy"):
        verify(toy_receipt(), policy, **GIVEN)


@pytest.mark.parametrize("source", ["a\0b", "x" * 5000, "missing.receipt.json", "{}"])
def test_a_path_that_cannot_be_read_is_the_callers_mistake(source: str) -> None:
    with pytest.raises(InputError, match="cannot read the receipt"):
        explain(source, STRICT, **GIVEN)


@pytest.mark.parametrize("source", [None, 7, {}, bytearray(b"{}")])
def test_something_that_is_no_receipt_is_refused(source: Any) -> None:
    with pytest.raises(InputError, match="expected a Receipt"):
        verify(source, STRICT, **GIVEN)


def test_a_receipt_made_by_hand_is_judged_as_its_bytes() -> None:
    statement = replace(toy_receipt().statement, request_id="ä")
    with pytest.raises(MalformedError, match="no canonical form"):
        verify(replace(toy_receipt(), statement=statement), STRICT, **GIVEN)


def test_time_is_an_argument() -> None:
    policy = AllOf(STRICT, MaxAge(10))
    verify(toy_receipt(), policy, **GIVEN)
    verify(toy_receipt(), policy, **given(now=NOW + 10.9))
    with pytest.raises(PolicyError, match="max_age"):
        verify(toy_receipt(), policy, **given(now=NOW + 11))


def test_explain_lists_every_check_in_order_whatever_is_wrong() -> None:
    sources: list[Any] = [
        toy_receipt(),
        toy_receipt(signer=OTHER_SIGNER),
        replace(toy_receipt(), envelopes=()),
        b"",
        b"{}",
        b"[" * 99,
        toy_receipt().to_bytes() + b"\n",
    ]
    for source in sources:
        report = explain(source, STRICT, **GIVEN)
        numbers = [check.number for check in report.checks]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(CHECKS)
        assert (report.verified is None) == (report.error is not None)
        assert sum(report.counts().values()) == len(report.checks)
        assert json.dumps(report.to_value())


def test_explain_says_which_of_the_first_three_checks_failed() -> None:
    cases = {"size": bytes(17 * 2**20), "encoding": b"{ }", "format": b"{}"}
    for name, source in cases.items():
        report = explain(source, STRICT, **GIVEN)
        failed = [check.name for check in report.checks if check.status is Status.FAILED]
        assert failed == [name]
        assert [check.number for check in report.checks] == list(CHECKS)


def test_checks_are_those_of_the_specification() -> None:
    text = (ROOT / "spec" / "v1" / "receipt.md").read_text()
    steps = re.findall(
        r"^(\d+)\. \*\*(\w+)\*\*", text.partition("## 8. Verification")[2], flags=re.MULTILINE
    )
    assert [(int(n), name) for n, name in steps] == [(n, CHECKS[n][0]) for n in CHECKS]


def test_one_array_is_enough_where_the_program_has_one_input_and_one_output() -> None:
    program = veridical.load(ROOT / "vectors" / "program" / "example.vprog")
    x = np.array([[0.5, -0.25, 1.0]], np.float32)
    run = veridical.run(program, {"x": x}, threads=1)
    receipt = issue(run, signer=SIGNER, issued_at=NOW)
    y = run.outputs["y"]
    verified = verify(receipt, SIGNED, now=NOW, input=x, output=y, program=program)
    assert verified.properties["input"] is Standing.MATCHED
    with pytest.raises(InputError, match="expected arrays by name"):
        verify(receipt, SIGNED, now=NOW, input=x)


def test_a_verification_key_file_has_an_identity_and_decides_nothing_more() -> None:
    program = veridical.load(ROOT / "vectors" / "program" / "example.vprog")
    key = veridical.Program.from_bytes(program.to_bytes(vkey=True))
    run = veridical.run(program, {"x": np.array([[0.5, -0.25, 1.0]], np.float32)}, threads=1)
    receipt = issue(run, signer=SIGNER, issued_at=NOW)
    report = explain(receipt, SIGNED, now=NOW, input=run.inputs, program=key)
    assert statuses(report)["model"] == "passed"
    assert isinstance(report.error, ProgramMissingError)


def test_another_program_fails_both_as_the_model_and_as_evidence() -> None:
    report = explain(toy_receipt(), STRICT, **given(program=ToyProgram(offset=-2)))
    assert statuses(report)["model"] == "failed"
    assert statuses(report)["tier"] == "failed"
    (tier,) = (check for check in report.checks if check.name == "tier")
    assert "the program is another one" in tier.detail
