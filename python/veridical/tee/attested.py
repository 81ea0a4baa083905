"""From evidence to what it shows of one statement: genuine, valid, bound; not yet judged.

Spec: spec/v1/tee.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from veridical.errors import CollateralError, QuoteError
from veridical.tee.appraisal import NEVER_COVERED, not_covered, validity
from veridical.tee.binding import FreshnessKind, Purpose, gpu_nonce
from veridical.tee.claims import Family, Finding, Outcome
from veridical.tee.policy import TeePolicy, judge
from veridical.tee.quote import Genuine, parse_quote, refused
from veridical.tee.rollback import newest
from veridical.tee.runtime import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.tee.binding import Freshness
    from veridical.tee.context import TeeContext
    from veridical.tee.evidence import TeeEvidence

__all__ = ["Attested", "establish"]

_ZEROS: Final = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """Quotes that are genuine, valid at the trusted time, and about this statement."""

    purpose: Purpose
    freshness: Freshness
    #: Of the processor, first, and of its GPUs and switches.
    quotes: tuple[Genuine, ...]
    #: Model digests that the event log of the processor shows to have been loaded.
    models: frozenset[bytes]
    #: Whether the statement's own model is one of them.
    is_model_measured: bool

    @property
    def is_simulated(self) -> bool:
        """Whether any quote comes from a simulator."""
        return any(quote.claims.is_simulated for quote in self.quotes)

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "claims": [quote.claims.to_value() for quote in self.quotes],
            "claims_digests": [quote.claims.digest for quote in self.quotes],
            "freshness": self.freshness.kind.value,
            "model_measured": self.is_model_measured,
            "purpose": self.purpose.value,
            "simulated": self.is_simulated,
        }

    def judge(self, policy: TeePolicy) -> tuple[Finding, ...]:
        """Return every finding under a policy."""
        return tuple(self._findings(policy))

    def _findings(self, policy: TeePolicy) -> Iterator[Finding]:
        for quote in self.quotes:
            yield from judge(quote, policy)
        gpus = sum(1 for quote in self.quotes if quote.claims.family is Family.NVIDIA_GPU)
        yield _finding("gpu-missing", f"{gpus} GPUs, at least {policy.gpus}", gpus >= policy.gpus)
        if policy.nonce is not None:
            is_fresh = self.freshness.kind is FreshnessKind.NONCE
            holds = is_fresh and self.freshness.value == policy.nonce
            yield _finding("nonce", "the quote is bound to the nonce that was sent", holds)
        if policy.require_model:
            holds = self.is_model_measured
            yield _finding("model", "the digest of the model is measured", holds)

    def not_covered(self, policy: TeePolicy) -> tuple[str, ...]:
        """Say what an acceptance under this policy does not show."""
        said = (line for quote in self.quotes for line in not_covered(quote, policy))
        lines = [line for line in said if not line.startswith("the processor:")]
        if not self.is_model_measured:
            lines.append("model weights: the code is attested, the weights it loaded are not")
        if self.freshness.kind is FreshnessKind.NONE:
            lines.append("age of the quote: it is bound to no nonce and no checkpoint")
        elif self.freshness.kind is FreshnessKind.CHECKPOINT:
            lines.append("age of the quote: its checkpoint was compared with no log")
        elif policy.nonce is None:
            lines.append("age of the quote: the policy does not say which nonce was sent")
        if not any(quote.claims.family is Family.NVIDIA_GPU for quote in self.quotes):
            lines.append("GPU: no report; what the code computed outside the processor is open")
        ordered = sorted(dict.fromkeys(lines), key=lambda line: line not in NEVER_COVERED)
        loud = [line for line in ordered if line.startswith(("SIMULATED", "UNTRUSTED"))]
        return tuple(loud + [line for line in ordered if line not in loud])


def _finding(check: str, detail: str, holds: bool) -> Finding:  # noqa: FBT001 - it reads as a sentence
    return Finding(f"tee.{check}", Outcome.ACCEPTED if holds else Outcome.REJECTED, detail)


def establish(
    evidence: TeeEvidence,
    *,
    statement: bytes,
    model: bytes,
    signer: str,
    issued_at: int,
    context: TeeContext,
) -> Attested:
    """Verify every quote and bind it to a statement; see the class for what that means.

    `statement` are the 32 bytes of the receipt id, `model` those of the model digest, `signer` is
    the key id of the envelope.

    Raises:
        QuoteError: something does not hold; `check` says what.
        CollateralError: it cannot be decided without a trusted time, or other collateral.
    """
    value = evidence.value(statement)
    collateral = newest(evidence.collateral, context.collateral, time=context.time)
    genuine = [
        parse_quote(blob.family, blob.content).verify(collateral, time=context.time)
        for blob in evidence.quotes
    ]
    _require_bound(genuine, value)
    _require_different(genuine)
    if evidence.key_set is not None:
        _require_key(evidence, signer, issued_at, context.time)
    models: set[bytes] = set()
    for blob, quote in zip(evidence.quotes, genuine, strict=True):
        if blob.event_log:
            log = EventLog.from_bytes(blob.event_log)
            log.require_replay(quote.claims)
            models.update(log.models())
    _require_valid(genuine, context.time)
    return Attested(
        purpose=evidence.purpose,
        freshness=evidence.freshness,
        quotes=tuple(genuine),
        models=frozenset(models),
        is_model_measured=model in models,
    )


def _require_bound(quotes: list[Genuine], value: bytes) -> None:
    for quote in quotes:
        claims = quote.claims
        if not claims.family.is_processor:
            if claims.bound != gpu_nonce(value):
                message = "the report of the GPU holds another nonce than follows from this value"
                raise refused("gpu-nonce", message, claims.family.value)
            continue
        if claims.family is Family.NITRO:
            extra = claims.firmware["nonce"] or claims.firmware["public_key"]
            holds = claims.bound == value and not extra
        else:
            holds = claims.bound == value + _ZEROS
        if not holds:
            raise refused("binding", "the quote is about something else", claims.family.value)


def _require_different(quotes: list[Genuine]) -> None:
    """Refuse one device that is shown several times, as if it were many."""
    devices = [(quote.claims.family, quote.claims.platform) for quote in quotes]
    if len(set(devices)) != len(devices):
        raise refused("gpu-repeated", "one device is shown more than once", "evidence")


def _require_key(evidence: TeeEvidence, signer: str, issued_at: int, time: int | None) -> None:
    key = evidence.key_set.find(signer) if evidence.key_set is not None else None
    if key is None:
        raise refused("key", f"key {signer[:16]} is none of those that are attested", "key set")
    for what, moment in (("issued", issued_at), ("seen", time)):
        if moment is not None and not key.not_before <= moment <= key.not_after:
            message = f"the envelope was {what} at {moment}, the key is valid from "
            message += f"{key.not_before} to {key.not_after}"
            raise refused("key-expired", message, "key set")


def _require_valid(quotes: list[Genuine], time: int | None) -> None:
    findings = [one for quote in quotes for one in validity(quote.windows, time)]
    worst = min(findings, key=lambda one: one.outcome)
    if worst.outcome is Outcome.REJECTED:
        raise QuoteError(worst.detail, check=worst.check)
    if worst.outcome is Outcome.UNDECIDED:
        raise CollateralError(worst.detail, check=worst.check)
