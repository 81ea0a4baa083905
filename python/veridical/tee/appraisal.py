"""One quote, from bytes to a verdict: genuine, valid at a trusted time, and what policy asks.

Spec: spec/v1/tee.md, sections 4 and 5. Nothing here talks to anybody; the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from veridical.errors import CollateralError, Error, QuoteError
from veridical.tee.claims import Claims, Family, Finding, Outcome, Tcb
from veridical.tee.policy import TeePolicy, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from veridical.tee.collateral import Collateral
    from veridical.tee.quote import Genuine, Quote, Window

__all__ = ["NEVER_COVERED", "Appraisal", "appraise", "validity"]

#: What no quote shows, whatever its verdict.
NEVER_COVERED: Final = (
    "physical attacks: an interposer on the memory bus can forge quotes that look up to date",
    "side channels",
    "the maker of the hardware, who could sign anything",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """Every finding about one quote, and what an acceptance of it would not cover."""

    findings: tuple[Finding, ...]
    #: None if the quote is not genuine.
    claims: Claims | None = None
    tcb: Tcb | None = None
    windows: tuple[Window, ...] = ()
    not_covered: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The least of all findings."""
        return min((finding.outcome for finding in self.findings), default=Outcome.REJECTED)

    @property
    def deciding(self) -> Finding:
        """The first finding that the verdict rests on."""
        return next(one for one in self.findings if one.outcome is self.outcome)

    @property
    def error(self) -> Error | None:
        """What to raise; None if the quote is accepted."""
        if self.outcome is Outcome.ACCEPTED:
            return None
        kind = QuoteError if self.outcome is Outcome.REJECTED else CollateralError
        return kind(self.deciding.detail, check=self.deciding.check)

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "claims": None if self.claims is None else self.claims.to_value(),
            "claims_digest": None if self.claims is None else self.claims.digest,
            "findings": [finding.to_value() for finding in self.findings],
            "not_covered": list(self.not_covered),
            "tcb": None if self.tcb is None else self.tcb.to_value(),
            "verdict": self.outcome.name.lower(),
        }


def appraise(
    quote: Quote, *, policy: TeePolicy, collateral: Collateral, time: int | None
) -> Appraisal:
    """Verify a quote and judge it; what is wrong with it is in the findings, never raised.

    `time` is the trusted time: without one the verdict is at best undecided.
    """
    try:
        genuine = quote.verify(collateral, time=time)
    except QuoteError as error:
        return Appraisal(findings=(_of_error(error, Outcome.REJECTED),))
    except CollateralError as error:
        return Appraisal(findings=(_of_error(error, Outcome.UNDECIDED),))
    genuine_finding = Finding(
        "tee.signature", Outcome.ACCEPTED, f"signed under root {genuine.claims.root[:16]}"
    )
    findings = (genuine_finding, *validity(genuine.windows, time), *judge(genuine, policy))
    return Appraisal(
        findings=findings,
        claims=genuine.claims,
        tcb=genuine.tcb,
        windows=genuine.windows,
        not_covered=tuple(not_covered(genuine, policy)),
    )


def _of_error(error: Error, outcome: Outcome) -> Finding:
    return Finding(error.check or "tee.format", outcome, str(error))


def validity(windows: Sequence[Window], time: int | None) -> tuple[Finding, ...]:
    """Judge the windows of a quote at a trusted time."""
    if time is None:
        detail = "no trusted time was given, and certificates and collateral have an end"
        return (Finding("tee.time", Outcome.UNDECIDED, detail),)
    outside = [w for w in windows if not w.not_before <= time <= w.not_after]
    if not outside:
        return (Finding("tee.time", Outcome.ACCEPTED, f"all valid at {_date(time)}"),)
    return tuple(
        Finding(
            "tee.collateral-stale" if window.is_collateral else "tee.expired",
            Outcome.UNDECIDED if window.is_collateral else Outcome.REJECTED,
            f"{window.what} is valid from {_date(window.not_before)} to "
            f"{_date(window.not_after)}, not at {_date(time)}",
        )
        for window in outside
    )


def _date(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):  # a time that has no date
        return str(seconds)


def not_covered(genuine: Genuine, policy: TeePolicy) -> Iterator[str]:
    """Say what an acceptance under this policy would not show."""
    claims = genuine.claims
    if claims.is_simulated:
        yield "SIMULATED: no hardware; nothing is shown"
    if claims.security.get("debug"):
        yield "UNTRUSTED DEBUG: whoever runs the machine can read and change everything inside"
    yield from NEVER_COVERED
    if not claims.family.is_processor:
        yield "the processor: a device alone says nothing of the code that feeds it and signs"
    if claims.family.is_processor and not policy.measurements:
        yield "which code: the policy names no measurements"
    if claims.family.is_processor and not policy.platforms:
        yield "which machine: the policy names no platforms"
    if claims.family is Family.SEV_SNP and claims.generation not in policy.min_tcb:
        yield "firmware: its maker rates none, and the policy names no least versions"
    if not genuine.is_revocation_checked:
        yield "revocation: not every certificate was checked against a list"
