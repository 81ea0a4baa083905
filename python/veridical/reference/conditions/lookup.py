"""Conditions of `table`, `shift`, `clamp` and `softmax_numerator`.

Spec: spec/v1/program.md, sections 4.4, 4.5 and 4.9.
"""

from __future__ import annotations

from veridical.errors import InternalError
from veridical.reference.conditions.view import Derived, NodeView, bit_width, half, rounded_shift
from veridical.reference.graph import FIELD_PRIME, MAX_MAGNITUDE

MAX_SHIFT = 16


def table(view: NodeView) -> Derived:
    """Derive a lookup; the reachable rows give the range."""
    (x,), (rows,) = view.operands, view.consts
    shift = view.require_between("shift", 0, MAX_SHIFT)
    rounding = half(shift) if view.require_between("round", 0, 1) else 0
    first, num_rows = view.integers["first"], rows.shape[0]
    low, high = (x.lo + rounding) >> shift, (x.hi + rounding) >> shift
    view.require(
        first <= low and high < first + num_rows,
        "table_reach",
        f"indices [{low}, {high}] leave the rows [{first}, {first + num_rows - 1}]",
    )
    size = num_rows << shift
    view.require(size <= FIELD_PRIME, "table_size", f"{num_rows} rows of 2^{shift} exceed p")
    if rows.values is None:
        raise InternalError("a table without values", view.where)
    reached = rows.values[low - first : high - first + 1]
    return Derived(shape=x.shape, bounds=(int(reached.min()), int(reached.max())))


def shift(view: NodeView) -> Derived:
    """Derive a rounded division by a power of two."""
    (x,) = view.operands
    amount = view.require_between("shift", 1, MAX_SHIFT)
    low, high = rounded_shift(x.lo, amount), rounded_shift(x.hi, amount)
    width = bit_width(high - low)
    view.require(
        1 << (width + amount) <= FIELD_PRIME,
        "shift_range",
        f"2^{width} times 2^{amount} exceeds p",
    )
    return Derived(shape=x.shape, bounds=(low, high))


def clamp(view: NodeView) -> Derived:
    """Derive a clamp; a bound that the range crosses must leave true differences."""
    (x,) = view.operands
    least = view.require_between("lo", -MAX_MAGNITUDE, MAX_MAGNITUDE)
    greatest = view.require_between("hi", least, MAX_MAGNITUDE)
    _require_crossing(view, least, x.lo, x.hi)
    low, high = max(x.lo, least), max(x.hi, least)
    _require_crossing(view, greatest, low, high)
    return Derived(shape=x.shape, bounds=(min(low, greatest), min(high, greatest)))


def _require_crossing(view: NodeView, bound: int, low: int, high: int) -> None:
    if not low < bound < high:
        return
    above, below = high - bound, bound - low
    for wide, other in ((above, below), (below, above)):
        view.require(
            (1 << bit_width(wide)) + other <= FIELD_PRIME,
            "clamp_range",
            f"the distances {above} and {below} from {bound} exceed p",
        )


def softmax_numerator(view: NodeView) -> Derived:
    """Derive the exponential of the distance to the row maximum."""
    x, (rows,) = view.operands[0], view.consts
    for mask in view.operands[1:]:
        view.require(
            len(mask.shape) == len(x.shape)
            and all(a in (1, b) for a, b in zip(mask.shape, x.shape, strict=True))
            and mask.shape[-1] == x.shape[-1],
            "mask_shape",
            f"a mask of {list(mask.shape)} for {list(x.shape)}",
        )
        view.require(
            mask.lo >= 0 and mask.hi <= 1,
            "mask_range",
            f"mask range [{mask.lo}, {mask.hi}] is not inside [0, 1]",
        )
    amount = view.require_between("shift", 0, MAX_SHIFT)
    if rows.values is None:
        raise InternalError("a table without values", view.where)
    top, num_rows, distance = int(rows.values[0]), rows.shape[0], x.hi - x.lo
    view.require(int(rows.values.min()) >= 0, "table_sign", "the table has a negative row")
    view.require(
        top >= 1 and int(rows.values.max()) == top,
        "table_top",
        "row 0 of the table is not its positive maximum",
    )
    view.require(
        distance >> amount < num_rows,
        "table_reach",
        f"a distance of {distance} leaves the {num_rows} rows",
    )
    view.require(
        distance + (num_rows << amount) <= FIELD_PRIME,
        "table_size",
        f"{distance} plus {num_rows} rows of 2^{amount} exceed p",
    )
    return Derived(shape=x.shape, bounds=(0, top))
