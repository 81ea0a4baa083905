"""One verification: the numbered steps of the spec in order, and the verdict over them.

Spec: spec/v1/receipt.md, section 8. The verdict is built from `min` and `max` over the chain
rejected < undecided < accepted, so an envelope that is dropped can only lower it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from veridical.errors import (
    Error,
    EvidenceError,
    FieldError,
    InputError,
    InternalError,
    MalformedError,
    PolicyError,
    SignatureError,
    UndecidedError,
)
from veridical.policy.facts import EnvelopeFacts, Facts, Policy, Result
from veridical.receipt.bundle import Receipt
from veridical.verifier.checks import CHECKS, Check, Status
from veridical.verifier.comparison import compare
from veridical.verifier.envelopes import VerifiedEnvelope, check_envelope
from veridical.verifier.report import Report, Standing, Verified
from veridical.verifier.tiers import TIERS, TierVerifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.keys import PublicKey
    from veridical.verifier.given import Given

__all__ = ["ReceiptSource", "run_checks"]

#: A parsed receipt, its bytes, or the path of its file.
ReceiptSource: TypeAlias = Receipt | bytes | str | Path

_RESULT_OF: Final = {
    Status.PASSED: Result.ACCEPTED,
    Status.SKIPPED: Result.ACCEPTED,
    Status.UNDECIDED: Result.UNDECIDED,
    Status.FAILED: Result.REJECTED,
}


_NUMBER_OF: Final = {"size": 1, "encoding": 2, "format": 3}


@dataclass(slots=True, kw_only=True)
class _Candidate:
    """One way to accept the receipt: an envelope, or none where the policy needs no signature."""

    index: int | None
    envelope: VerifiedEnvelope | None
    checks: list[Check] = field(default_factory=list)

    @property
    def result(self) -> Result:
        """The least result of its checks."""
        return min(_RESULT_OF[check.status] for check in self.checks)

    @property
    def progress(self) -> tuple[Result, int]:
        """How far it came; the furthest candidate speaks for the receipt."""
        return self.result, self.checks[-1].number


def run_checks(source: ReceiptSource, policy: Policy, given: Given) -> Report:
    """Make every check and draw the verdict.

    Raises:
        InputError: the caller's mistake: an unreadable file, something that is no policy.
    """
    _require_policy(policy)
    parsed, checks = _parse(source)
    if parsed is None:
        rest = [_skipped(number) for number in CHECKS if number > checks[-1].number]
        return Report(checks=(*checks, *rest), result=Result.REJECTED, error=checks[-1].error)
    comparisons = list(compare(parsed, given))
    candidates = _judge_envelopes(parsed, policy, given, comparisons)
    ordered = sorted(
        [*checks, *comparisons, *(check for c in candidates for check in c.checks)],
        key=lambda check: (check.number, -1 if check.envelope is None else check.envelope),
    )
    present = {check.number for check in ordered}
    ordered += [_skipped(number) for number in CHECKS if number not in present]
    ordered.sort(key=lambda check: check.number)
    return _verdict(parsed, given, comparisons, candidates, tuple(ordered))


def _require_policy(policy: object) -> None:
    is_rule = callable(getattr(policy, "evaluate", None)) and callable(
        getattr(policy, "signers", None)
    )
    if isinstance(policy, type) or not is_rule:
        raise InputError(
            f"`policy` is {policy!r:.80}, not a policy",
            advice="Pass a policy of `veridical.policy`; there is no default.",
        )


def _parse(source: ReceiptSource) -> tuple[Receipt | None, list[Check]]:
    """Make checks 1 to 3. A parsed receipt goes through its bytes, so one path judges all."""
    try:
        if isinstance(source, Receipt):
            receipt = Receipt.from_bytes(_encode(source))
        elif isinstance(source, bytes):
            receipt = Receipt.from_bytes(source)
        elif isinstance(source, str | Path):
            receipt = Receipt.load(source)
        else:
            raise InputError(
                f"`receipt` is a {type(source).__name__}; expected a Receipt, bytes or a path"
            )
    except MalformedError as error:
        failed = _NUMBER_OF.get(error.check or "", 3)
        passed = [_passed(number) for number in range(1, failed)]
        return None, [
            *passed,
            Check(number=failed, status=Status.FAILED, detail=str(error), error=error),
        ]
    return receipt, [_passed(number) for number in (1, 2, 3)]


def _encode(receipt: Receipt) -> bytes:
    try:
        return receipt.to_bytes()
    except InternalError as error:  # a value that no bytes could have brought
        raise FieldError(error.message, where=error.where, check="format") from error


def _passed(number: int) -> Check:
    return Check(number=number, status=Status.PASSED, detail=CHECKS[number][1])


def _skipped(number: int) -> Check:
    return Check(number=number, status=Status.SKIPPED, detail="an earlier check stopped it")


def _judge_envelopes(
    receipt: Receipt, policy: Policy, given: Given, comparisons: list[Check]
) -> list[_Candidate]:
    """Make checks 5 to 10, 14 and 15 for every envelope."""
    signers: Mapping[str, PublicKey] = {key.key_id: key for key in policy.signers()}
    tiers = {name: make(receipt, given) for name, make in TIERS.items()}
    candidates = []
    for index in range(len(receipt.envelopes)):
        checks, envelope = check_envelope(receipt, index, signers=signers, tiers=tiers)
        candidate = _Candidate(index=index, envelope=envelope, checks=checks)
        if envelope is not None:
            checks.append(_tier(index, envelope, tiers))
            checks.append(_policy(candidate, receipt, policy, given, comparisons))
        candidates.append(candidate)
    if not policy.needs_signature:
        unsigned = _Candidate(index=None, envelope=None)
        unsigned.checks.append(_policy(unsigned, receipt, policy, given, comparisons))
        candidates.append(unsigned)
    return candidates


def _tier(index: int, envelope: VerifiedEnvelope, tiers: Mapping[str, TierVerifier]) -> Check:
    """14. The evidence supports the statement."""
    try:
        detail = tiers[envelope.predicate.tier].verify(envelope.predicate)
    except (EvidenceError, UndecidedError) as error:
        status = Status.UNDECIDED if isinstance(error, UndecidedError) else Status.FAILED
        return Check(number=14, status=status, detail=str(error), envelope=index, error=error)
    return Check(number=14, status=Status.PASSED, detail=detail, envelope=index)


def _policy(
    candidate: _Candidate,
    receipt: Receipt,
    policy: Policy,
    given: Given,
    comparisons: list[Check],
) -> Check:
    """15. The policy accepts this envelope."""
    matches = {check.number: check.status for check in comparisons}
    envelope = candidate.envelope
    facts = Facts(
        statement=receipt.statement,
        envelope=None
        if envelope is None
        else EnvelopeFacts(
            signer=envelope.signer,
            tier=envelope.predicate.tier,
            issued_at=envelope.predicate.issued_at,
        ),
        input_match=_match(matches[12]),
        output_match=_match(matches[13]),
        now=given.now,
    )
    answer = policy.evaluate(facts)
    detail = f"{answer.rule}: {answer.detail}"
    status = Status.PASSED
    error: Error | None = None
    if answer.result is Result.UNDECIDED:
        status, error = Status.UNDECIDED, answer.undecided_error(detail, check="policy")
    elif answer.result is Result.REJECTED:
        status, error = Status.FAILED, PolicyError(detail, check="policy")
    return Check(number=15, status=status, detail=detail, envelope=candidate.index, error=error)


def _match(status: Status) -> Result:
    """A comparison that was not made matches nothing yet."""
    return Result.UNDECIDED if status is Status.SKIPPED else _RESULT_OF[status]


def _verdict(
    receipt: Receipt,
    given: Given,
    comparisons: list[Check],
    candidates: list[_Candidate],
    checks: tuple[Check, ...],
) -> Report:
    counted = [
        c for c in candidates if all(check.status is not Status.SKIPPED for check in c.checks)
    ]
    best = max(counted, key=lambda candidate: candidate.progress, default=None)
    if best is None:
        error = SignatureError(
            "no envelope is signed by a key that the policy names",
            where=f"{len(receipt.envelopes)} envelopes",
            check="signer",
        )
        decisive = [Check(number=5, status=Status.FAILED, detail=str(error), error=error)]
    else:
        decisive = best.checks
    decisive = sorted([*comparisons, *decisive], key=lambda check: check.number)
    result = min(_RESULT_OF[check.status] for check in decisive)
    if result is not Result.ACCEPTED or best is None:
        deciding = next(check for check in decisive if _RESULT_OF[check.status] is result)
        return Report(checks=checks, result=result, error=deciding.error)
    verified = _accepted(receipt, given, best, comparisons, checks)
    return Report(checks=checks, result=result, verified=verified)


def _accepted(
    receipt: Receipt,
    given: Given,
    best: _Candidate,
    comparisons: list[Check],
    checks: tuple[Check, ...],
) -> Verified:
    predicate = None if best.envelope is None else best.envelope.predicate
    is_rerun = predicate is not None and predicate.tier == "reexecution"
    matched = {check.number for check in comparisons if check.status is Status.PASSED}

    def standing(number: int, *, rerun: Standing) -> Standing:
        if number in matched:
            both = is_rerun and rerun is Standing.REEXECUTED
            return Standing.MATCHED_AND_REEXECUTED if both else Standing.MATCHED
        return rerun if is_rerun else Standing.COMMITTED_ONLY

    return Verified(
        statement=receipt.statement,
        receipt_id=receipt.receipt_id,
        tier=None if predicate is None else predicate.tier,
        signer=None if best.envelope is None else best.envelope.signer,
        issued_at=None if predicate is None else predicate.issued_at,
        properties={
            "model": standing(11, rerun=Standing.REEXECUTED),
            "input": standing(12, rerun=Standing.REVEALED),
            "output": standing(13, rerun=Standing.REEXECUTED),
        },
        assumptions=("nothing was asked, not even a signature",)
        if predicate is None
        else TIERS[predicate.tier](receipt, given).assumptions,
        checks=checks,
    )
