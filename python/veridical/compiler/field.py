"""The modulus that every relation must fit, and the exact helpers around it.

Source: spec/v1/program.md, head and section 5.
"""

from __future__ import annotations

from math import isqrt

P = 2**31 - 2**24 + 1
"""KoalaBear prime: the field a proof works in."""
M = (P - 1) // 2
"""Greatest magnitude that any tensor may reach (no-wrap rule)."""
REQUANTISABLE = M - 2**16
"""Greatest magnitude that a table can still index: `rows * 2^shift <= p` at the widest shift."""
SHIFTABLE = 2**29 - 2**16
"""Greatest magnitude of a tensor that a `shift` may still take: `2^w 2^shift <= p`."""
ORDERABLE_SPAN = P - 2**30
"""Widest range whose elements can be compared: its span plus the next power of two is within p."""
ROOMY = ORDERABLE_SPAN // 2
"""Greatest magnitude of a tensor that any op can take: compared, shifted, or a table index."""
NARROW_LOW, NARROW_HIGH = -(2**15), 2**15 - 1
"""Range of operands of multiply-accumulate ops."""
MAX_TABLE_ROWS = 65536


def half(shift: int) -> int:
    """Return the rounding constant of a right shift."""
    return (1 << shift) >> 1


def shift_round(value: int, shift: int) -> int:
    """Round `value / 2^shift` to the nearest integer, halves upward."""
    return (value + half(shift)) >> shift


def isqrt_ceil(value: int) -> int:
    """Return the least integer whose square is at least `value`."""
    root = isqrt(value)
    return root if root * root == value else root + 1


def bits_for_span(span: int) -> int:
    """Return the least w with `2^w > span`."""
    return span.bit_length()
