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
    VerificationError,
)
from veridical.policy.combinators import AllOf
from veridical.policy.facts import EnvelopeFacts, Facts, Policy, Result, RuleResult
from veridical.policy.hardware import RequireTee
from veridical.policy.rules import Rule
from veridical.receipt.bundle import Receipt
from veridical.seeds import Drawn, drawn_of
from veridical.tlog import Logged, LogTrust, verify_logged
from veridical.verifier.checks import CHECKS, Check, Status
from veridical.verifier.comparison import compare
from veridical.verifier.envelopes import VerifiedEnvelope, check_envelope
from veridical.verifier.report import Report, Shown, Standing, Verified
from veridical.verifier.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    #: What its evidence showed, if check 14 passed.
    shown: Shown | None = None
    #: What the policy answered, if it was asked.
    answer: RuleResult | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def result(self) -> Result:
        """The least result of its checks."""
        return min(_RESULT_OF[check.status] for check in self.checks)

    @property
    def counts(self) -> bool:
        """Whether its signer is one that the policy names."""
        return all(check.status is not Status.SKIPPED for check in self.checks)

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
    receipt, checks = _parse(source)
    if receipt is None:
        rest = [_skipped(number) for number in CHECKS if number > checks[-1].number]
        return Report(checks=(*checks, *rest), result=Result.REJECTED, error=checks[-1].error)
    return _Verification(receipt, policy, given).report(checks)


def _require_policy(policy: object) -> None:
    is_rule = callable(getattr(policy, "evaluate", None)) and callable(
        getattr(policy, "signers", None)
    )
    if isinstance(policy, type) or not is_rule or not hasattr(policy, "needs_signature"):
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


def _drawn(receipt: Receipt, given: Given) -> Drawn | VerificationError | None:
    try:
        return drawn_of(receipt.statement, given.beacons)
    except VerificationError as error:
        return error


def _seed_check(seed: Drawn | VerificationError | None) -> Check:
    """17. The seed is the one that question and key give."""
    if seed is None:
        return Check(number=17, status=Status.SKIPPED, detail="the statement has no seed")
    if isinstance(seed, VerificationError):
        return Check(number=17, status=Status.FAILED, detail=str(seed), error=seed)
    return Check(number=17, status=Status.PASSED, detail=seed.detail)


class _Verification:
    """Checks 4 to 15 of one parsed receipt, and the verdict over them."""

    def __init__(self, receipt: Receipt, policy: Policy, given: Given) -> None:
        self._receipt = receipt
        self._policy = policy
        self._given = given
        # Hashed once, whatever the number of envelopes that name the blobs.
        self._evidence = receipt.evidence_by_digest()
        self._tiers = {name: make(receipt, self._evidence, given) for name, make in TIERS.items()}
        self._seed = _drawn(receipt, given)
        self._comparisons = [*compare(receipt, given), _seed_check(self._seed)]
        self._logged: dict[LogTrust, tuple[Logged, ...] | VerificationError] = {}
        self._status_of = {check.number: check.status for check in self._comparisons}

    def report(self, parsing: list[Check]) -> Report:
        """Make the remaining checks; `parsing` are those that were made before."""
        candidates = list(self._candidates())
        made = [*parsing, *self._comparisons, *(c for one in candidates for c in one.checks)]
        made += self._log_checks()
        present = {check.number for check in made}
        made += [_skipped(number) for number in CHECKS if number not in present]
        made.sort(key=lambda c: (c.number, -1 if c.envelope is None else c.envelope))
        return self._verdict(candidates, tuple(made))

    def _verify_logged(self, trust: LogTrust) -> tuple[Logged, ...] | VerificationError:
        """16. Made when a rule asks, once for the logs and cosigners that it names."""
        if trust not in self._logged:
            try:
                self._logged[trust] = verify_logged(self._receipt, trust)
            except VerificationError as error:
                self._logged[trust] = error
        return self._logged[trust]

    def _log_checks(self) -> Iterator[Check]:
        for shown in self._logged.values():
            if isinstance(shown, VerificationError):
                detail = f"{shown.check}: {shown.message}"
                yield Check(number=16, status=Status.FAILED, detail=detail, error=shown)
            else:
                yield Check(number=16, status=Status.PASSED, detail=shown[0].detail)
        if not self._logged:
            yield Check(
                number=16, status=Status.SKIPPED, detail="no rule that was asked names a log"
            )

    def _candidates(self) -> Iterator[_Candidate]:
        """Make checks 5 to 10, 14 and 15 for every envelope."""
        signers = {key.key_id: key for key in self._policy.signers()}
        for index in range(len(self._receipt.envelopes)):
            checks, envelope = check_envelope(
                self._receipt, index, signers=signers, tiers=self._tiers, evidence=self._evidence
            )
            candidate = _Candidate(index=index, envelope=envelope, checks=checks)
            if envelope is not None:
                checks.append(self._check_tier(index, candidate, envelope))
                checks.append(self._check_policy(candidate))
            yield candidate
        if not self._policy.needs_signature:
            unsigned = _Candidate(index=None, envelope=None)
            unsigned.checks.append(self._check_policy(unsigned))
            yield unsigned

    def _check_tier(self, index: int, candidate: _Candidate, envelope: VerifiedEnvelope) -> Check:
        """14. The evidence supports the statement."""
        predicate = envelope.predicate
        try:
            shown = self._tiers[predicate.tier].verify(predicate, envelope.signer)
        except (EvidenceError, UndecidedError) as error:
            status = Status.UNDECIDED if isinstance(error, UndecidedError) else Status.FAILED
            return Check(number=14, status=status, detail=str(error), envelope=index, error=error)
        candidate.shown = shown
        return Check(number=14, status=Status.PASSED, detail=shown.detail, envelope=index)

    def _check_policy(self, candidate: _Candidate) -> Check:
        """15. The policy accepts this envelope."""
        facts = Facts(
            statement=self._receipt.statement,
            envelope=_facts_of(candidate),
            input_match=_match(self._status_of[12]),
            output_match=_match(self._status_of[13]),
            now=self._given.now,
            logged=self._verify_logged,
            seed=self._seed,
        )
        answer = self._policy.evaluate(facts)
        if _is_unjudged(facts, answer):
            answer = AllOf(_Answered(answer), RequireTee()).evaluate(facts)
        candidate.answer = answer
        detail = f"{answer.rule}: {answer.detail}"
        # A rule of the caller's own may answer anything: what is not a result rejects.
        status = Status.FAILED
        error: Error | None = answer.rejected_error or PolicyError(detail, check="policy")
        if answer.result is Result.ACCEPTED:
            status, error = Status.PASSED, None
        elif answer.result is Result.UNDECIDED:
            status, error = Status.UNDECIDED, answer.undecided_error(detail, check="policy")
        return Check(number=15, status=status, detail=detail, envelope=candidate.index, error=error)

    def _verdict(self, candidates: list[_Candidate], checks: tuple[Check, ...]) -> Report:
        """The least of what concerns the receipt and of its best envelope."""
        counted = [one for one in candidates if one.counts]
        best = max(counted, key=lambda one: one.progress, default=None)
        own = [_no_signer(self._receipt)] if best is None else best.checks
        decisive = sorted([*self._comparisons, *own], key=lambda check: check.number)
        result = min(_RESULT_OF[check.status] for check in decisive)
        if best is None or result is not Result.ACCEPTED:
            deciding = next(check for check in decisive if _RESULT_OF[check.status] is result)
            return Report(checks=checks, result=result, error=deciding.error)
        return Report(checks=checks, result=result, verified=self._accepted(best, checks))

    def _accepted(self, best: _Candidate, checks: tuple[Check, ...]) -> Verified:
        envelope, shown = best.envelope, best.shown
        established = {} if shown is None else shown.properties
        # Only what the rules that accepted rest on: another branch may have asked other logs.
        rested = () if best.answer is None else best.answer.logged
        logged = rested[0] if rested else None
        assumptions = _NOTHING_ASKED if shown is None else shown.assumptions
        if logged is not None:
            # What tiers say of receipts that nothing shows to be logged.
            assumptions = tuple(one for one in assumptions if not one.startswith("log: none"))
        added = [*(line for one in rested for line in one.assumptions)]
        added += () if best.answer is None else best.answer.assumptions
        assumptions = tuple(dict.fromkeys((*assumptions, *added)))
        return Verified(
            statement=self._receipt.statement,
            receipt_id=self._receipt.receipt_id,
            tier=None if envelope is None else envelope.predicate.tier,
            signer=None if envelope is None else envelope.signer,
            issued_at=None if envelope is None else envelope.predicate.issued_at,
            properties={
                name: _standing(
                    established.get(name, Standing.COMMITTED_ONLY),
                    is_matched=self._status_of[number] is Status.PASSED,
                )
                for number, name in ((11, "model"), (12, "input"), (13, "output"))
            },
            soundness_bits=0.0 if shown is None else shown.soundness_bits,
            assumptions=assumptions,
            checks=checks,
            logged=logged,
            attested=None if shown is None else shown.attested,
        )


def _is_unjudged(facts: Facts, answer: RuleResult) -> bool:
    """Whether a policy accepts what hardware says without having asked about the hardware."""
    is_tee = facts.envelope is not None and facts.envelope.tier == "tee"
    return is_tee and answer.result is Result.ACCEPTED and not answer.judged_hardware


@dataclass(frozen=True, slots=True)
class _Answered(Rule):
    """A rule that has been asked already."""

    answer: RuleResult

    def evaluate(self, facts: Facts, /) -> RuleResult:  # noqa: ARG002 - a rule
        """Return the answer."""
        return self.answer


_NOTHING_ASKED: Final = ("nothing was asked, not even a signature",)


def _standing(established: Standing, *, is_matched: bool) -> Standing:
    if not is_matched:
        return established
    return _MATCHED.get(established, Standing.MATCHED)


#: A property that was compared as well as established.
_MATCHED: Final = {
    Standing.REEXECUTED: Standing.MATCHED_AND_REEXECUTED,
    Standing.PROVEN: Standing.MATCHED_AND_PROVEN,
    Standing.ATTESTED: Standing.MATCHED_AND_ATTESTED,
}


def _facts_of(candidate: _Candidate) -> EnvelopeFacts | None:
    if candidate.envelope is None:
        return None
    return EnvelopeFacts(
        signer=candidate.envelope.signer,
        tier=candidate.envelope.predicate.tier,
        issued_at=candidate.envelope.predicate.issued_at,
        soundness_bits=None if candidate.shown is None else candidate.shown.soundness_bits,
        attested=None if candidate.shown is None else candidate.shown.attested,
    )


def _match(status: Status) -> Result:
    """A comparison that was not made matches nothing yet."""
    return Result.UNDECIDED if status is Status.SKIPPED else _RESULT_OF[status]


def _no_signer(receipt: Receipt) -> Check:
    error = SignatureError(
        "no envelope is signed by a key that the policy names; "
        f"envelopes in the receipt: {len(receipt.envelopes)}",
        where="receipt.envelopes",
        check="signer",
    )
    return Check(number=5, status=Status.FAILED, detail=str(error), error=error)
