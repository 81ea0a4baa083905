"""Attention masks: additive forms become a 0/1 operand of Softmax.

Exports add 0 where a position counts and a huge negative number where it does not. Derived from
integers, such a term has finitely many values, so it is split exactly into a 0/1 tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import layout
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.layout import MASKED

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, GraphBuilder, Value

#: A term at least this far below the others removes its position: exp(-1000) is zero in float64.
HIDING = 1000.0


def _split(values: Array) -> tuple[float, Array] | None:
    """Return the ordinary value and where the huge negative ones are; None if it is no mask."""
    if np.isnan(values).any() or np.isposinf(values).any():
        return None
    top = float(values.max())
    hidden = values <= top - HIDING
    if not hidden.any() or not np.isfinite(top) or (values[~hidden] != top).any():
        return None
    return top, hidden


def constant_mask(constant: Array) -> Array | None:
    """Return 1 for positions that count and 0 for those a constant term removes; None otherwise."""
    split = _split(np.asarray(constant, np.float64))
    return None if split is None else np.where(split[1], 0.0, 1.0)


def apply_constant(b: GraphBuilder, value: Lazy, mask: Array, top: float) -> Lazy:
    """Mask by a constant: the 0/1 tensor is an Affine with gain zero."""
    shape = tuple(np.broadcast_shapes(b.shape(value), mask.shape))
    value = b.lazy(layout.expand(b, value, shape))
    mask = mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape)
    source = value.base
    masked = b.made_by(source, MASKED)
    if masked is not None:
        source = masked.inputs[0]
        below = b.made_by(masked.inputs[1], "Affine")
        if below is not None and not below.params["gain"].any():  # two constants make one
            mask = mask * below.params["offset"]
            value = Lazy(source, value.fn)
    if not mask.any(axis=-1).all():
        b.unsupported("the mask leaves a row without any position")
    gain = np.zeros((1,) * len(shape))
    name = b.emit(
        "Affine", (source,), shape, params={"gain": gain, "offset": mask}, integers=(0, 1)
    )
    return hide(b, value, Lazy(name), top)


def hide(b: GraphBuilder, value: Lazy, mask: Lazy, top: float = 0.0) -> Lazy:
    """Mark positions where ``mask`` is 0; a mask below joins it."""
    base = value.base
    name = b.materialise(mask)
    previous = b.made_by(base, MASKED)
    if previous is not None:
        base = previous.inputs[0]
        other = previous.inputs[1]
        both = tuple(np.broadcast_shapes(b.shapes[name], b.shapes[other]))
        if name != other:
            name = b.emit("Mul", (other, name), both, integers=(0, 1))
    result = Lazy(b.emit(MASKED, (base, name), b.shapes[base]), value.fn)
    return b.apply(ex.X + top, result)


def additive(
    b: GraphBuilder, op: str, left: Lazy, right: Lazy, shape: tuple[int, ...]
) -> Lazy | None:
    """Recognise ``scores + mask term``, in either order."""
    candidates = [(left, right)] if op == "Sub" else [(left, right), (right, left)]
    for scores, term in candidates:
        if term.base not in b.ranges or scores.base in b.ranges:
            continue
        fn = -term.fn if op == "Sub" else term.fn
        domain = b.require_domain(Lazy(term.base, fn))
        split = _split(domain)
        if split is None:
            continue
        threshold = split[0] - HIDING / 2
        keep = _indicator(b, Lazy(term.base, fn), domain > threshold, threshold)
        return hide(b, b.lazy(layout.expand(b, scores, shape)), keep, split[0])
    return None


def _indicator(b: GraphBuilder, term: Lazy, keep: Array, threshold: float) -> Lazy:
    """Return the 0/1 tensor of the positions that count."""
    bounds = b.ranges[term.base]
    if bounds == (0, 1):
        return Lazy(term.base, ex.X if keep[1] else 1.0 - ex.X)
    return Lazy(term.base, ex.constant(threshold).less(term.fn))


def fill(
    b: GraphBuilder, condition: Lazy, scores: Value, constant: float, *, when: bool
) -> Lazy | None:
    """Recognise ``Where(condition, huge negative, scores)`` and its mirror image."""
    if not isinstance(scores, Lazy) or constant > -HIDING:
        return None
    shape = tuple(np.broadcast_shapes(b.shape(condition), b.shape(scores)))
    rank = len(shape)
    keep = b.apply(ex.X.equals(0.0) if when else 1.0 - ex.X.equals(0.0), condition)
    keep = b.lazy(layout.raise_rank(b, keep, rank))
    return hide(b, b.lazy(layout.expand(b, scores, shape)), keep)
