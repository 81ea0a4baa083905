"""Tier `tee`: check quotes of hardware, and that they are about this statement.

Spec: spec/v1/tee.md, section 8; spec/v1/receipt.md, check 14. Nothing is run again, and no program
is needed. What the hardware has to be is asked in check 15.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from veridical.errors import QuoteError
from veridical.verifier.report import Shown, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.keys import PublicKey
    from veridical.receipt.bundle import Receipt
    from veridical.receipt.envelope import Predicate
    from veridical.tee.attested import Attested
    from veridical.verifier.given import Given

__all__ = ["AttestedVerifier"]

TEE_TYPE: Final = "urn:veridical:evidence:tee:v1"
_ALWAYS: Final = (
    "log: none; answers that the signer withheld cannot be seen",
    "time of issue: the signer's word",
    "code: that it computes what the statement says is shown by whoever can rebuild it, not here",
)
_SIMULATED: Final = "SIMULATED: no hardware; this receipt shows nothing but the signer's word"


class AttestedVerifier:
    """Checks the quotes of one receipt."""

    evidence_types: Mapping[str, int] = MappingProxyType({TEE_TYPE: 1})

    def __init__(self, receipt: Receipt, evidence: Mapping[str, bytes], given: Given) -> None:
        self._receipt = receipt
        self._evidence = evidence
        self._given = given

    def verify(self, predicate: Predicate, signer: PublicKey) -> Shown:
        """Return what was shown; see `TierVerifier`."""
        # Here, for who verifies no quotes needs none of this.
        from veridical.tee.attested import establish
        from veridical.tee.evidence import TeeEvidence

        if len(predicate.evidence) != 1:
            raise QuoteError(
                f"{len(predicate.evidence)} blobs; this tier takes one", check="tee.format"
            )
        statement = self._receipt.statement
        attested = establish(
            TeeEvidence.from_bytes(self._evidence[predicate.evidence[0].digest]),
            statement=_digest(self._receipt.receipt_id),
            model=_digest(statement.model.digest),
            signer=signer.key_id,
            issued_at=predicate.issued_at,
            context=self._given.tee,
        )
        return Shown(
            detail=_detail(attested),
            properties=_properties(attested),
            assumptions=((_SIMULATED, *_ALWAYS) if attested.is_simulated else _ALWAYS),
            # A quote has no such number: whoever can make one can make any.
            soundness_bits=0.0,
            attested=attested,
        )


def _digest(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("sha256:"))


def _detail(attested: Attested) -> str:
    names = ", ".join(quote.claims.generation for quote in attested.quotes)
    about = "this statement" if attested.purpose.value == "statements" else "the signer's key"
    mark = "SIMULATED, " if attested.is_simulated else ""
    return f"{mark}quotes of {names} are genuine and about {about}"


def _properties(attested: Attested) -> dict[str, Standing]:
    if attested.is_simulated:
        return {}
    model = Standing.ATTESTED if attested.is_model_measured else Standing.COMMITTED_ONLY
    return {"model": model, "input": Standing.ATTESTED, "output": Standing.ATTESTED}
