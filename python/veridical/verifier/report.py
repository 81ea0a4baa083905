"""What a verification returns: the verified statement, or every check of a receipt.

Spec: spec/v1/receipt.md, section 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from veridical.verifier.checks import Check, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.errors import Error
    from veridical.keys import PublicKey
    from veridical.policy.facts import Result
    from veridical.receipt.statement import Statement
    from veridical.tee.attested import Attested
    from veridical.tlog import Logged

__all__ = ["Report", "Shown", "Standing", "Verified"]


class Standing(Enum):
    """How one property of a receipt was established."""

    #: The statement binds its signer to a value; nothing was compared with it.
    COMMITTED_ONLY = "committed only"
    #: The receipt itself showed the value.
    REVEALED = "revealed"
    #: Equal to what the caller gave.
    MATCHED = "matched"
    #: Computed again by this verifier.
    REEXECUTED = "re-executed"
    #: Both of the last two.
    MATCHED_AND_REEXECUTED = "matched and re-executed"
    #: Shown by a succinct proof.
    PROVEN = "proven"
    #: Shown by a proof, and equal to what the caller gave.
    MATCHED_AND_PROVEN = "matched and proven"
    #: Stated by code that hardware vouches for.
    ATTESTED = "attested"
    #: Stated by such code, and equal to what the caller gave.
    MATCHED_AND_ATTESTED = "matched and attested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the evidence of one envelope showed."""

    detail: str
    #: How `model`, `input` and `output` stand.
    properties: Mapping[str, Standing]
    #: What an acceptance still rests on.
    assumptions: tuple[str, ...]
    #: A false statement passes with probability at most `2**-bits`; infinite if computed again.
    soundness_bits: float
    #: Tier `tee`: what hardware says; a policy judges it.
    attested: Attested | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An accepted receipt. This, and not the parsed receipt, is what to read from."""

    statement: Statement
    receipt_id: str
    #: None only under a policy that asks for no signature.
    tier: str | None
    signer: PublicKey | None
    issued_at: int | None
    #: Keys `model`, `input`, `output`.
    properties: dict[str, Standing]
    #: See `Shown.soundness_bits`.
    soundness_bits: float
    #: What the acceptance still rests on.
    assumptions: tuple[str, ...]
    checks: tuple[Check, ...]
    #: Where it is logged, if the policy asks for it.
    logged: Logged | None = None
    #: What hardware says, where the tier is `tee`.
    attested: Attested | None = None

    def to_value(self) -> dict[str, object]:
        """Return the form of `verify --json`."""
        return {
            "assumptions": list(self.assumptions),
            "hardware": None if self.attested is None else self.attested.to_value(),
            "issued_at": self.issued_at,
            "logged": None if self.logged is None else self.logged.to_value(),
            "properties": {name: standing.value for name, standing in self.properties.items()},
            "receipt_id": self.receipt_id,
            "signer": None if self.signer is None else self.signer.key_id,
            # JSON has no infinity: null is "computed again".
            "soundness_bits": None if math.isinf(self.soundness_bits) else self.soundness_bits,
            "statement": self.statement.to_value(),
            "tier": self.tier,
            "verdict": "accepted",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every check of one receipt, and the verdict they lead to."""

    checks: tuple[Check, ...]
    result: Result
    #: Present if and only if the receipt was accepted.
    verified: Verified | None = None
    #: What `verify` raises; present if and only if the receipt was not accepted.
    error: Error | None = None

    @property
    def verdict(self) -> str:
        """`accepted`, `rejected` or `undecided`."""
        return self.result.name.lower()

    def counts(self) -> dict[str, int]:
        """Return how many checks ended in each way."""
        return {
            status.value: sum(1 for check in self.checks if check.status is status)
            for status in Status
        }

    def to_value(self) -> dict[str, object]:
        """Return the form of `explain --json`."""
        return {
            "checks": [check.to_value() for check in self.checks],
            "error": None if self.error is None else error_value(self.error),
            "verdict": self.verdict,
            "verified": None if self.verified is None else self.verified.to_value(),
        }


def error_value(error: Error) -> dict[str, object]:
    """Return an error in the form that `--json` prints."""
    return {
        "advice": error.advice or error.default_advice,
        "check": error.check,
        "message": error.message,
        "name": type(error).__name__,
        "where": error.where,
    }
