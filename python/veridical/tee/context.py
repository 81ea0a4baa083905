"""What a verifier of quotes has beside the receipt.

Spec: spec/v1/tee.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from veridical.tee.collateral import Collateral

__all__ = ["TeeContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeeContext:
    """What a verifier has beside the receipt: a trusted time, and collateral of its own."""

    time: int | None = None
    collateral: Collateral = field(default_factory=Collateral)
