"""What hardware says, in one form for all families.

Spec: spec/v1/tee.md, section 3. Claims hold only what a quote signs and what its certificates say
of the signer, so they are the same today and in ten years; how they are judged is elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from veridical.commitment import frame
from veridical.receipt.canonical import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.receipt.canonical import Value

__all__ = ["Claims", "Family", "Finding", "Outcome", "Tcb"]

_TAG: Final = b"veridical.tee-claims.v1"


class Family(StrEnum):
    """A maker's kind of quote."""

    SGX = "sgx"
    TDX = "tdx"
    SEV_SNP = "sev-snp"
    NITRO = "nitro"
    NVIDIA_GPU = "nvidia-gpu"
    NVIDIA_SWITCH = "nvidia-switch"

    @property
    def is_processor(self) -> bool:
        """Whether a quote of this family can carry a statement by itself."""
        return self not in {Family.NVIDIA_GPU, Family.NVIDIA_SWITCH}


class Outcome(IntEnum):
    """How a check ended; the order is that of `veridical.policy.Result`."""

    REJECTED = 0
    UNDECIDED = 1
    ACCEPTED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a quote: its stable name, how it ended, and why."""

    check: str
    outcome: Outcome
    detail: str

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {"check": self.check, "detail": self.detail, "outcome": self.outcome.name.lower()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcb:
    """How the maker rates the firmware, by collateral that was verified."""

    status: str
    advisories: tuple[str, ...]
    #: Number of the maker's evaluation; a later one knows more weaknesses.
    evaluation: int

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "advisories": list(self.advisories),
            "evaluation": self.evaluation,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the hardware signed, and what its certificates say of it."""

    family: Family
    generation: str
    #: SHA-256 of the root certificate.
    root: str
    is_simulated: bool
    #: What tells one machine from another, as hex or a name.
    platform: str
    #: The bytes that the code inside chose.
    bound: bytes
    measurements: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    security: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    firmware: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form, of which the digest is made."""
        return {
            "bound": self.bound.hex(),
            "family": self.family.value,
            "firmware": dict(self.firmware),
            "generation": self.generation,
            "measurements": dict(self.measurements),
            "platform": self.platform,
            "root": self.root,
            "security": dict(self.security),
            "simulated": int(self.is_simulated),
        }

    @property
    def digest(self) -> str:
        """The id of the quote: two files that say the same have the same one."""
        content = frame(_TAG, encode(self.to_value()))
        return "sha256:" + hashlib.sha256(content).hexdigest()
