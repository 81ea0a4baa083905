"""Checks 5 to 10: one envelope, from the key to its evidence.

Spec: spec/v1/receipt.md, section 8. The payload is parsed only after its signature was verified,
and the first check that fails ends the envelope, never the receipt: others may still stand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veridical.errors import (
    Error,
    EvidenceError,
    MalformedError,
    SignatureError,
    StatementMismatchError,
)
from veridical.receipt.envelope import Predicate
from veridical.verifier.checks import Check, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.keys import PublicKey
    from veridical.receipt.bundle import Receipt
    from veridical.verifier.tiers import TierVerifier

__all__ = ["VerifiedEnvelope", "check_envelope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEnvelope:
    """An envelope that passed checks 5 to 10."""

    signer: PublicKey
    predicate: Predicate


def check_envelope(
    receipt: Receipt,
    index: int,
    *,
    signers: Mapping[str, PublicKey],
    tiers: Mapping[str, TierVerifier],
    evidence: Mapping[str, bytes],
) -> tuple[list[Check], VerifiedEnvelope | None]:
    """Return the checks that were made, and the envelope if it passed them all."""
    envelope = receipt.envelopes[index]
    checks: list[Check] = []

    def passed(number: int, detail: str) -> None:
        checks.append(Check(number=number, status=Status.PASSED, detail=detail, envelope=index))

    def stopped(number: int, status: Status, error: Error) -> tuple[list[Check], None]:
        checks.append(
            Check(number=number, status=status, detail=str(error), envelope=index, error=error)
        )
        return checks, None

    # 5. The key id is that of a key which the policy names.
    signer = signers.get(envelope.key_id)
    if signer is None:
        error = SignatureError(
            f"key {envelope.key_id[:16]} is not one that the policy names",
            where=f"envelopes[{index}]",
            check="signer",
        )
        return stopped(5, Status.SKIPPED, error)
    passed(5, f"{signer.algorithm} key {signer.key_id[:16]}")

    # 6. The signature over the exact payload bytes is that key's.
    try:
        signer.verify(envelope.signature, envelope.signed_bytes)
    except SignatureError as failure:
        return stopped(6, Status.FAILED, failure)
    passed(6, f"{len(envelope.payload)} payload bytes")

    # 7. The payload has the members of this version.
    try:
        predicate = Predicate.from_bytes(envelope.payload, where=f"envelopes[{index}].payload")
    except MalformedError as failure:
        named = type(failure)(failure.message, where=failure.where, check="payload")
        return stopped(7, Status.FAILED, named)
    passed(7, f"tier {predicate.tier!r}, issued at {predicate.issued_at}")

    # 8 to 10.
    for number, check in ((8, _binding), (9, _critical)):
        try:
            passed(number, check(receipt, predicate))
        except Error as failure:
            return stopped(number, Status.FAILED, failure)
    try:
        passed(10, _evidence(predicate, tiers, evidence))
    except EvidenceError as failure:
        return stopped(10, Status.FAILED, failure)
    return checks, VerifiedEnvelope(signer=signer, predicate=predicate)


def _binding(receipt: Receipt, predicate: Predicate) -> str:
    """8. The envelope names this receipt's id and this statement's output."""
    if predicate.receipt_id != receipt.receipt_id:
        raise StatementMismatchError(
            f"the envelope is about {predicate.receipt_id}, not about {receipt.receipt_id}",
            check="binding",
        )
    if predicate.output_digest != receipt.statement.output.integers.digest.hex():
        raise StatementMismatchError("the subject is another output", check="binding")
    return f"receipt id {receipt.receipt_id}"


def _critical(_receipt: Receipt, predicate: Predicate) -> str:
    """9. Every critical extension is understood; this version has none."""
    if predicate.critical:
        raise EvidenceError(
            f"critical extension {predicate.critical[0]!r} is not understood",
            check="critical",
            advice="A newer version of this package may understand it.",
        )
    return "none"


def _evidence(
    predicate: Predicate, tiers: Mapping[str, TierVerifier], evidence: Mapping[str, bytes]
) -> str:
    """10. The tier is known, takes these types, and every blob is there as it was signed."""
    tier = tiers.get(predicate.tier)
    if tier is None:
        raise EvidenceError(
            f"tier {predicate.tier!r} is not known; this version knows {', '.join(tiers)}",
            check="evidence",
        )
    for kind, count in Counter(item.type for item in predicate.evidence).items():
        if count > tier.evidence_types.get(kind, 0):
            raise EvidenceError(
                f"tier {predicate.tier!r} does not take {count} of type {kind!r}", check="evidence"
            )
    for descriptor in predicate.evidence:
        blob = evidence.get(descriptor.digest)
        if blob is None:
            raise EvidenceError(
                f"evidence {descriptor.digest} is not in the bundle", check="evidence"
            )
        if len(blob) != descriptor.size:
            raise EvidenceError(
                f"evidence {descriptor.digest} has {len(blob)} bytes, not {descriptor.size}",
                check="evidence",
            )
    return f"tier {predicate.tier!r}, {len(predicate.evidence)} blobs"
