"""The verifier's side of the tiers: what each takes as evidence, and whether it holds.

Spec: spec/v1/receipt.md, sections 5 and 7. A tier is one entry in `TIERS`; nothing else changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from veridical.verifier.attested import AttestedVerifier
from veridical.verifier.reexecution import ReexecutionVerifier
from veridical.verifier.succinct import SuccinctVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veridical.keys import PublicKey
    from veridical.receipt.bundle import Receipt
    from veridical.receipt.envelope import Predicate
    from veridical.verifier.given import Given
    from veridical.verifier.report import Shown

__all__ = ["TIERS", "TierVerifier"]


class TierVerifier(Protocol):
    """Checks evidence of one tier, for one receipt and one caller."""

    @property
    def evidence_types(self) -> Mapping[str, int]:
        """Evidence types that the tier takes, and how often each may occur."""

    def verify(self, predicate: Predicate, signer: PublicKey) -> Shown:
        """Return what was shown of an envelope and the key that signed it.

        Raises:
            EvidenceError: the evidence does not support the statement.
            UndecidedError: something that is needed was not given.
        """


#: Makes the verifier of each tier from receipt, evidence by digest, and what the caller gave.
TIERS: Final[Mapping[str, Callable[[Receipt, Mapping[str, bytes], Given], TierVerifier]]] = {
    "reexecution": ReexecutionVerifier,
    "zk": SuccinctVerifier,
    "tee": AttestedVerifier,
}
