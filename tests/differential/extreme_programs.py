"""Chains of maps whose values lie at the ends of the field, where a fused sum would wrap.

Ranges are a few values wide, so that a table can follow anywhere; bounds of clamps are often out of
reach, or beyond all values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.differential.draft import Draft
from veridical.errors import ProgramError
from veridical.reference.graph import MAX_MAGNITUDE as M
from veridical.reference.graph import NARROW_MAX, NARROW_MIN

if TYPE_CHECKING:
    from collections.abc import Callable

    Random = np.random.Generator

#: Where things happen: the ends of the field, of 16 bits, and zero.
PLACES = (-M, -(2**30) + 2**20, NARROW_MIN, -1, 0, NARROW_MAX, 2**29, M)


def extreme_program(seed: int) -> Draft:
    """Return a valid draft; the seed decides everything."""
    rng = np.random.default_rng(seed)
    draft = Draft()
    start = _place(rng, 0)
    width = int(rng.choice([0, 1, 5, 40, 2**15, 2**30 - 2, M]))
    lo, hi = max(-M, start - width), min(M, start + int(rng.integers(0, width + 1)))
    tensor = draft.add_input((int(rng.choice([1, 5, 17, 40])),), lo, hi)
    target = int(rng.integers(2, 6))
    for _ in range(60):
        if len(draft.nodes) == target:
            break
        tensor = _extended(draft, rng, tensor)
    if not draft.nodes:
        tensor = draft.add_node("add", [tensor], coeff=[1])
    draft.add_output(tensor)
    return draft


def _extended(draft: Draft, rng: Random, tensor: int) -> int:
    """Append a step; give the last tensor back if a condition refuses it."""
    consts = len(draft.consts)
    try:
        return STEPS[int(rng.integers(0, len(STEPS)))](draft, rng, tensor)
    except ProgramError:
        del draft.consts[consts:], draft.values[consts:]
        return tensor


def _place(rng: Random, reach: int) -> int:
    near = int(rng.choice(PLACES)) + int(rng.integers(-reach, reach + 1))
    return min(M, max(-M, near))


def _clamp(draft: Draft, rng: Random, tensor: int) -> int:
    entry = draft.tensors[tensor]
    near = [int(rng.choice([entry["lo"], entry["hi"]])) + int(rng.integers(-3, 4))]
    ends = near if rng.random() < 0.5 else []
    while len(ends) < 2:
        ends.append(_place(rng, 5))
    lo, hi = sorted(min(M, max(-M, end)) for end in ends)
    return draft.add_node("clamp", [tensor], lo=lo, hi=hi)


def _shift(draft: Draft, rng: Random, tensor: int) -> int:
    return draft.add_node("shift", [tensor], shift=int(rng.integers(1, 17)))


def _table(draft: Draft, rng: Random, tensor: int) -> int:
    """A clamped line, or anything but one, with values near any place."""
    entry = draft.tensors[tensor]
    lo, hi = entry["lo"], entry["hi"]
    shift = max(0, (hi - lo).bit_length() - int(rng.integers(2, 9)))
    if shift > 16:
        raise ProgramError("too wide for a table", "table", "shift")
    rounding = int(rng.integers(0, 2))
    half = (1 << shift) >> 1 if rounding else 0
    first = ((lo + half) >> shift) - int(rng.integers(0, 4))
    rows = ((hi + half) >> shift) - first + 1 + int(rng.integers(0, 4))
    at = _place(rng, 3)
    line = np.arange(at, at + rows) if at < 0 else np.arange(at - rows + 1, at + 1)
    if rng.random() < 0.4:
        low, high = sorted(int(x) for x in rng.choice(line, 2))
        line = line.clip(low, high)
    if rng.random() < 0.2:
        line = line[::-1]
    table = draft.add_const("table", "i32", line.clip(-M, M))
    attributes = {"first": first, "round": rounding, "shift": shift}
    return draft.add_node("table", [tensor], [table], **attributes)


def _add(draft: Draft, rng: Random, tensor: int) -> int:
    return draft.add_node("add", [tensor], coeff=[int(rng.choice([-1, 1]))])


def _affine(draft: Draft, rng: Random, tensor: int) -> int:
    """Move the range to another place."""
    lo = draft.tensors[tensor]["lo"]
    at = _place(rng, 3)
    gain = draft.add_const("weight", "i8", [1])
    offset = draft.add_const("weight", "i32", [min(2**31 - 1, max(-(2**31), at - lo))])
    derived = draft.derive("affine", [tensor], [gain, offset])
    if derived.bounds is None or max(map(abs, derived.bounds)) > M:
        raise ProgramError("too wide", "affine", "range")
    return draft.add_node("affine", [tensor], [gain, offset])


STEPS: tuple[Callable[[Draft, Random, int], int], ...] = (
    _clamp,
    _clamp,
    _clamp,
    _table,
    _table,
    _shift,
    _add,
    _affine,
)
