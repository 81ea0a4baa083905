"""The numbered checks of a verification and how each of them ends.

Spec: spec/v1/receipt.md, section 8. Numbers and names are stable; scripts may rely on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from veridical.errors import Error

__all__ = ["CHECKS", "Check", "Status"]

#: Name and meaning of every check, in the order of the spec.
CHECKS: Final = {
    1: ("size", "the receipt is within the size limit"),
    2: ("encoding", "the bundle is canonical"),
    3: ("format", "bundle and statement have the members of this version"),
    4: ("reveals", "every reveal opens its commitment"),
    5: ("signer", "the key is one that the policy names"),
    6: ("signature", "the signature over the payload is that key's"),
    7: ("payload", "the payload has the members of this version"),
    8: ("binding", "the envelope is about this statement"),
    9: ("critical", "every critical extension is understood"),
    10: ("evidence", "the tier is known and its evidence is in the bundle"),
    11: ("model", "the caller's program is the one that is stated"),
    12: ("input", "the caller's input is the one that is stated"),
    13: ("output", "the caller's output is the one that is stated"),
    14: ("tier", "the evidence supports the statement"),
    15: ("policy", "the policy accepts"),
    16: ("log", "intent and result are in a log that the policy names"),
    17: ("seed", "the seed is the one that question and key give"),
}


class Status(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, made once or for one envelope."""

    number: int
    status: Status
    detail: str
    #: Index of the envelope, for checks that are made for each.
    envelope: int | None = None
    #: What `verify` raises if this check decides the verdict.
    error: Error | None = None

    @property
    def name(self) -> str:
        """The check's stable name."""
        return CHECKS[self.number][0]

    @property
    def meaning(self) -> str:
        """What the check is about, in one line."""
        return CHECKS[self.number][1]

    def to_value(self) -> dict[str, object]:
        """Return the form of `explain --json`."""
        return {
            "check": self.number,
            "detail": self.detail,
            "envelope": self.envelope,
            "error": None if self.error is None else type(self.error).__name__,
            "name": self.name,
            "status": self.status.value,
        }
