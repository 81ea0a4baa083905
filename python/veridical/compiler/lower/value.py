"""What a float tensor has become."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Integers that stand for a float tensor: `real = gain * integer * 2^-exponent`.

    With `factor` and `offset` set, `real = factor * (gain * integer * 2^-exponent) + offset`,
    broadcast: an affine map that has not been emitted yet.
    """

    tensor: int
    exponent: int
    gain: Fraction = Fraction(1)
    factor: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None

    @property
    def slope(self) -> Fraction | None:
        """The factor of a waiting affine map if it is the same everywhere and not zero."""
        if self.factor is None:
            return None
        first = float(self.factor.flat[0])
        return Fraction(first) if first != 0.0 and bool((self.factor == first).all()) else None
