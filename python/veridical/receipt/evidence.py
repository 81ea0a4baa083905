"""Evidence: blobs that support a statement, and the tiers that make them.

Spec: spec/v1/receipt.md, sections 5 and 7. A tier plugs in here on the issuer's side and in
`veridical.verifier.tiers` on the verifier's; statement, envelope and bundle stay as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

from veridical.errors import FieldError
from veridical.receipt.members import Members

if TYPE_CHECKING:
    from veridical.receipt.canonical import Value
    from veridical.receipt.program import Run
    from veridical.receipt.statement import Statement

__all__ = [
    "TRACE_ROOT_BYTES",
    "TRACE_ROOT_TYPE",
    "Evidence",
    "EvidenceBlob",
    "EvidenceDescriptor",
    "Reexecution",
]

TRACE_ROOT_TYPE: Final = "urn:veridical:evidence:trace-root:v1"
TRACE_ROOT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDescriptor:
    """What an envelope signs about one blob: its digest, size and type."""

    digest: str
    size: int
    type: str

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {"digest": self.digest, "size": self.size, "type": self.type}

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("digest", "size", "type"), where=where)
        kind = members.text("type")
        if not kind:
            raise FieldError("an evidence type is not empty", where=where, check="payload")
        return cls(digest=members.digest("digest"), size=members.count("size"), type=kind)


@dataclass(frozen=True, slots=True)
class EvidenceBlob:
    """The bytes of one piece of evidence with their type."""

    type: str
    content: bytes

    @property
    def descriptor(self) -> EvidenceDescriptor:
        """Return what an envelope signs about this blob."""
        return EvidenceDescriptor(
            digest=blob_digest(self.content), size=len(self.content), type=self.type
        )


def blob_digest(content: bytes) -> str:
    """Return the plain SHA-256 by which an envelope finds its blob."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Evidence(Protocol):
    """The issuer's side of one tier."""

    @property
    def tier(self) -> str:
        """The tier's name, as it is signed."""

    def make(self, run: Run, statement: Statement) -> tuple[EvidenceBlob, ...]:
        """Make the evidence for a run, over its statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reexecution:
    """Evidence of tier `reexecution`: none, for the verifier runs the program again.

    With `trace_root`, the root over all intermediate integers is signed as well, so that a later
    dispute about this run can start from it.
    """

    trace_root: bool = False

    @property
    def tier(self) -> str:
        """The tier's name, as it is signed."""
        return "reexecution"

    def make(self, run: Run, statement: Statement) -> tuple[EvidenceBlob, ...]:  # noqa: ARG002 - protocol
        """Return the trace root if it was asked for."""
        if not self.trace_root:
            return ()
        return (EvidenceBlob(TRACE_ROOT_TYPE, run.trace.root),)
