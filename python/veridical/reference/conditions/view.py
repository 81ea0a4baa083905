"""What a rule sees of a node, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from veridical.errors import ProgramError
from veridical.reference.graph import NARROW_MAX, NARROW_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperandView:
    """An operand: its tensor id, declared range, shape per item and row-norm fact `Q`."""

    tensor: int
    lo: int
    hi: int
    shape: tuple[int, ...]
    row_norm: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstView:
    """A const; `values` is None if they are hidden from this reader."""

    dtype: str
    shape: tuple[int, ...]
    values: NDArray[np.signedinteger] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Shape, range and row-norm fact that follow from the operands."""

    shape: tuple[int, ...]
    bounds: Bounds | None
    row_norm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node with all that its rule may look at."""

    where: str
    operands: tuple[OperandView, ...]
    consts: tuple[ConstView, ...]
    integers: Mapping[str, int]
    lists: Mapping[str, tuple[int, ...]]

    def require(self, condition: bool, check: str, message: str) -> None:  # noqa: FBT001
        """Reject the program unless the condition holds."""
        if not condition:
            raise ProgramError(message, self.where, check)

    def require_between(self, name: str, low: int, high: int) -> int:
        """Return the integer attribute, which must lie in `[low, high]`."""
        value = self.integers[name]
        self.require(low <= value <= high, name, f"{name} {value} is outside [{low}, {high}]")
        return value

    def require_narrow(self, operand: OperandView) -> None:
        """Reject an operand that does not fit 16 bits."""
        self.require(
            operand.lo >= NARROW_MIN and operand.hi <= NARROW_MAX,
            "narrow",
            f"operand range [{operand.lo}, {operand.hi}] exceeds 16 bits",
        )

    def require_rank(self, operand: OperandView, low: int) -> None:
        """Reject an operand with fewer axes than the op addresses."""
        rank = len(operand.shape)
        self.require(rank >= low, "rank", f"operand rank {rank} is below {low}")

    def require_length(self, name: str, length: int) -> tuple[int, ...]:
        """Return the list attribute, which must have this many entries."""
        value = self.lists[name]
        self.require(len(value) == length, name, f"{name} has {len(value)} entries, not {length}")
        return value

    def require_dtype(self, const: ConstView, *allowed: str) -> None:
        """Reject a const of another dtype."""
        self.require(const.dtype in allowed, "dtype", f"const dtype {const.dtype} is not allowed")


def bit_width(value: int) -> int:
    """Return the least `w` with `2^w > value`, for `value >= 0`."""
    return value.bit_length()


def isqrt_ceil(value: int) -> int:
    """Return the least integer whose square is at least `value`."""
    return isqrt(value - 1) + 1 if value > 0 else 0


def rounded_shift(value: int, shift: int) -> int:
    """Return `(value + half(shift)) >> shift`."""
    return (value + half(shift)) >> shift


def half(shift: int) -> int:
    """Return `2^(shift - 1)`, and 0 for a shift of 0."""
    return 1 << (shift - 1) if shift > 0 else 0


def hull(values: Iterable[int]) -> Bounds:
    """Return the least and the greatest."""
    listed = list(values)
    return min(listed), max(listed)


def product_bounds(a: Bounds, b: Bounds) -> Bounds:
    """Return the range of `x * y` over two independent ranges."""
    return hull(x * y for x in a for y in b)


def broadcast(view: NodeView, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the common shape: equal ranks, and each dimension equal or 1."""
    result = shapes[0]
    for shape in shapes[1:]:
        same_rank = len(shape) == len(result)
        view.require(same_rank, "broadcast", f"ranks of {list(result)} and {list(shape)} differ")
        for a, b in zip(result, shape, strict=True):
            view.require(1 in (a, b) or a == b, "broadcast", f"{list(result)} and {list(shape)}")
        result = tuple(b if a == 1 else a for a, b in zip(result, shape, strict=True))
    return result
