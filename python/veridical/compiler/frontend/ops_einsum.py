"""Einsum of one or two operands: transposes, one product of matrices, sums."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler.frontend import layout
from veridical.compiler.frontend.convert import Context, converter
from veridical.compiler.frontend.ops_linear import matmul
from veridical.compiler.frontend.ops_reduce import reduce_sum

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import GraphBuilder, Value

_SPARE = "ABCDEFGH"
_TWO = 2


def _terms(c: Context) -> tuple[list[str], str]:
    """Return the subscripts of the operands and of the result, without an ellipsis."""
    text = c.attrs["equation"].decode().replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(c.inputs) or len(terms) > _TWO:
        c.b.unsupported(f"equation {text!r} with {len(c.inputs)} operands; at most two")
    widest = 0
    for i, term in enumerate(terms):
        named = len(term.replace("...", ""))
        extra = len(c.b.shape(c.value(i))) - named
        if extra < 0 or (extra and "..." not in term):
            c.b.unsupported(f"equation {text!r} does not fit operand {i}")
        terms[i] = term.replace("...", _SPARE[len(_SPARE) - extra :])
        widest = max(widest, extra if "..." in term else 0)
    if not arrow:
        every = "".join(terms)
        right = "".join(sorted(s for s in set(every) - set(_SPARE) if every.count(s) == 1))
        right = "..." + right if widest else right
    right = right.replace("...", _SPARE[len(_SPARE) - widest :])
    if any(len(set(term)) != len(term) for term in [*terms, right]):
        c.b.unsupported(f"equation {text!r} repeats an index within one term")
    return terms, right


def _sum_out(b: GraphBuilder, value: Value, term: str, keep: set[str]) -> tuple[Value, str]:
    """Sum over the indices that nothing else uses."""
    axes = tuple(i for i, s in enumerate(term) if s not in keep)
    if not axes:
        return value, term
    if isinstance(value, np.ndarray):
        return value.sum(axis=axes), "".join(s for s in term if s in keep)
    shape = b.shape(value)
    summed = reduce_sum(b, value, axes)
    rest = [n for i, n in enumerate(shape) if i not in axes]
    return layout.reshape(b, summed, rest), "".join(s for s in term if s in keep)


def _arrange(b: GraphBuilder, value: Value, term: str, order: str) -> Value:
    return layout.transpose(b, value, [term.index(s) for s in order])


@converter("Einsum")
def _einsum(c: Context) -> Value:
    b = c.b
    terms, result = _terms(c)
    if len(terms) == 1:
        value, term = _sum_out(b, c.value(0), terms[0], set(result))
        return _arrange(b, value, term, result)
    one, first = _sum_out(b, c.value(0), terms[0], set(terms[1]) | set(result))
    two, second = _sum_out(b, c.value(1), terms[1], set(first) | set(result))
    sizes = dict(zip(second, b.shape(two), strict=True)) | dict(
        zip(first, b.shape(one), strict=True)
    )
    shared = [s for s in first if s in second]
    batch = "".join(s for s in shared if s in result)
    inner = "".join(s for s in shared if s not in result)
    rows = "".join(s for s in first if s not in second)
    columns = "".join(s for s in second if s not in first)

    def size(letters: str) -> int:
        return prod(sizes[s] for s in letters)

    lead = tuple(sizes[s] for s in batch)
    left = _arrange(b, one, first, batch + rows + inner)
    right = _arrange(b, two, second, batch + inner + columns)
    left = layout.reshape(b, left, (*lead, size(rows), size(inner)))
    right = layout.reshape(b, right, (*lead, size(inner), size(columns)))
    product = matmul(b, left, right)
    whole = batch + rows + columns
    product = layout.reshape(b, product, tuple(sizes[s] for s in whole))
    return _arrange(b, product, whole, result)
