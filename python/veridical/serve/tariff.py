"""Prices: a quote before, which is the most that is charged, and what was used after.

Spec: spec/v1/serve.md, section 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical import zk

if TYPE_CHECKING:
    from veridical.serve.models import Model

__all__ = ["TIERS", "Price", "Tariff"]

#: The tiers that a gateway gives, cheapest first.
TIERS: Final = ("reexecution", "zk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """In units; what a unit is worth is between provider and caller."""

    per_request: int
    per_second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices by tier; a unit is a microsecond of one processor, unless the operator differs."""

    prices: dict[str, Price] = field(
        default_factory=lambda: {
            "reexecution": Price(per_request=1000, per_second=1_000_000),
            "zk": Price(per_request=0, per_second=1_000_000),
        }
    )
    #: How much longer than measured a run may take before the provider pays for it.
    margin: float = 4.0
    #: Cells of a witness that are proven in one second, for quotes.
    cells_per_second: float = 2e6

    def quote(self, model: Model, tier: str, items: int) -> int:
        """Return the most that a receipt of a tier costs, before anything is run."""
        seconds = model.seconds_per_item * items
        if tier == "zk":
            costs = zk.costs(model.program, batch=items)
            seconds = (costs.witness_cells + costs.lookup_slots) / self.cells_per_second
            seconds += costs.weight_cells / self.cells_per_second
        return self.cost(tier, seconds * self.margin)

    def cost(self, tier: str, seconds: float) -> int:
        """Return what a time costs."""
        price = self.prices[tier]
        return price.per_request + math.ceil(price.per_second * seconds)
