"""What the evidence of another service comes to, and which bindings it does not have.

Spec: spec/v1/tee.md, section 11.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical.errors import CollateralError, Error, QuoteError
from veridical.tee.claims import Family, Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from veridical.tee.appraisal import Appraisal
    from veridical.tee.policy import TeePolicy

__all__ = ["MISSING", "Imported", "Said", "compare", "finding", "joined"]

#: Bindings that a receipt of Veridical has, and what is open without them.
MISSING: Final[Mapping[str, str]] = {
    "weights": "which weights answered: no digest of them is signed",
    "time": "when it was signed: no time stands in what is signed",
    "trusted-time": "when it was signed: the time in it is the service's own word",
    "order": "order and completeness: no sequence number and no log, so answers can be withheld",
    "model": "which model was asked for: what is signed does not name one",
    "request-hash": "who hashed the request: some versions sign a hash that the client names",
    "upstream": "who computed: the service forwarded the request, and its word is all there is",
    "nonce": "age of the quote: nobody said which nonce was sent",
    "gpu": "GPU: no report; what the code computed outside the processor is open",
    "event-log": "what the code loaded after its start: no event log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the service signed, for people and programs that go on with it."""

    signer: str
    request_sha256: str
    response_sha256: str
    model: str | None = None
    served_at: int | None = None

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "model": self.model,
            "request_sha256": self.request_sha256,
            "response_sha256": self.response_sha256,
            "served_at": self.served_at,
            "signer": self.signer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The verdict about one answer of another service."""

    #: `near` or `aci`.
    service: str
    findings: tuple[Finding, ...]
    #: Of every quote: the processor's first.
    quotes: tuple[Appraisal, ...] = ()
    said: Said | None = None
    #: Names of `MISSING`.
    missing: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = field(default=())

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the signature and of every quote."""
        return self.findings + tuple(one for quote in self.quotes for one in quote.findings)

    @property
    def outcome(self) -> Outcome:
        """The least of all findings."""
        return min((one.outcome for one in self.all_findings), default=Outcome.REJECTED)

    @property
    def deciding(self) -> Finding:
        """The first finding that the verdict rests on."""
        return next(one for one in self.all_findings if one.outcome is self.outcome)

    @property
    def error(self) -> Error | None:
        """What to raise; None if it is accepted."""
        if self.outcome is Outcome.ACCEPTED:
            return None
        kind = QuoteError if self.outcome is Outcome.REJECTED else CollateralError
        return kind(self.deciding.detail, check=self.deciding.check)

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "findings": [one.to_value() for one in self.findings],
            "missing": {name: MISSING[name] for name in self.missing},
            "not_covered": list(self.not_covered),
            "quotes": [quote.to_value() for quote in self.quotes],
            "said": None if self.said is None else self.said.to_value(),
            "service": self.service,
            "verdict": self.outcome.name.lower(),
        }


def finding(check: str, detail: str, *, holds: bool) -> Finding:
    """Return a finding that accepts or rejects."""
    return Finding(f"tee.{check}", Outcome.ACCEPTED if holds else Outcome.REJECTED, detail)


def compare(what: str, content: bytes | None, expected: str) -> Finding:
    """Compare the bytes that somebody has with the hash that was signed."""
    check = f"import-{what}"
    if content is None:
        detail = f"the {what} was not given, so nobody knows whether this is about it"
        return Finding(f"tee.{check}", Outcome.UNDECIDED, detail)
    holds = hashlib.sha256(content).hexdigest() == expected
    return finding(check, f"{'the' if holds else 'another'} {what} was signed", holds=holds)


def joined(quotes: tuple[Appraisal, ...], policy: TeePolicy) -> Iterator[Finding]:
    """Judge what the quotes are together."""
    genuine = [quote.claims for quote in quotes if quote.claims is not None]
    devices = [(claims.family, claims.platform) for claims in genuine]
    if len(set(devices)) != len(devices):
        yield finding("gpu-repeated", "one device is shown more than once", holds=False)
    gpus = sum(1 for claims in genuine if claims.family is Family.NVIDIA_GPU)
    yield finding("gpu-missing", f"{gpus} GPUs, at least {policy.gpus}", holds=gpus >= policy.gpus)
    if policy.require_model:
        yield finding("model", "no digest of the model is measured", holds=False)
