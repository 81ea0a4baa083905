"""The fused Attention operator, written out."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import arithmetic, layout, masks, normalise
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter
from veridical.compiler.frontend.ops_linear import matmul

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Value

_FLAT, _SPLIT = 3, 4


def _heads(c: Context, value: Value, attribute: str) -> Value:
    """Return ``[B, heads, S, d]`` from that or from ``[B, S, heads * d]``."""
    shape = c.b.shape(value)
    if len(shape) == _SPLIT:
        return value
    heads = int(c.attrs.get(attribute, 0))
    if len(shape) != _FLAT or heads < 1 or shape[2] % heads:
        c.b.unsupported(f"operand {shape} does not split into {heads} heads ({attribute})")
    split = layout.reshape(c.b, value, (shape[0], shape[1], heads, shape[2] // heads))
    return layout.transpose(c.b, split, (0, 2, 1, 3))


def _repeat_heads(c: Context, value: Value, heads: int) -> Value:
    """Grouped-query attention: every key and value head serves several query heads."""
    batch, own, length, width = c.b.shape(value)
    if own == heads:
        return value
    if heads % own:
        c.b.unsupported(f"{heads} query heads do not share {own} key heads evenly")
    wide = layout.reshape(c.b, value, (batch, own, 1, length, width))
    wide = layout.expand(c.b, wide, (batch, own, heads // own, length, width))
    return layout.reshape(c.b, wide, (batch, heads, length, width))


def _with_mask(c: Context, scores: Value, mask: Value) -> Value:
    """Apply an attention mask: boolean (true attends) or additive."""
    b = c.b
    if isinstance(mask, np.ndarray):
        if mask.dtype == np.bool_:
            kept = np.where(mask, 1.0, 0.0)
            return scores if mask.all() else masks.apply_constant(b, b.lazy(scores), kept, 0.0)
        return arithmetic.binary(b, "Add", scores, mask.astype(np.float64))
    mask = b.lazy(mask)
    domain = b.domain(mask)
    if domain is not None and set(domain.tolist()) <= {0.0, 1.0}:
        rank = len(b.shape(scores))
        return masks.hide(b, b.lazy(scores), b.lazy(layout.raise_rank(b, mask, rank)))
    return arithmetic.binary(b, "Add", scores, mask)


@converter("Attention")
def _attention(c: Context) -> Value:
    b = c.b
    if c.has(4) or c.has(5) or c.output_count > 1:
        b.unsupported("past or present keys and values, or the second to fourth output")
    query = _heads(c, c.value(0), "q_num_heads")
    key = _heads(c, c.value(1), "kv_num_heads")
    value = _heads(c, c.value(2), "kv_num_heads")
    batch, heads, rows, width = b.shape(query)
    key, value = _repeat_heads(c, key, heads), _repeat_heads(c, value, heads)
    columns = b.shape(key)[2]
    scale = float(c.attrs.get("scale", 0.0)) or 1.0 / sqrt(width)
    scores = matmul(b, query, layout.transpose(b, key, (0, 1, 3, 2)))
    scores = b.apply(ex.X * scale, scores)
    softcap = float(c.attrs.get("softcap", 0.0))
    if softcap:
        scores = b.apply((ex.X / softcap).call("tanh") * softcap, scores)
    if c.attrs.get("is_causal", 0):
        causal = np.tril(np.ones((1, 1, rows, columns)))
        scores = masks.apply_constant(b, b.lazy(scores), causal, 0.0)
    if c.has(3):
        scores = _with_mask(c, scores, c.value(3))
    weights = normalise.softmax(b, scores, _SPLIT - 1)
    result = matmul(b, weights, value)
    if len(b.shape(c.value(0))) == _SPLIT:
        return result
    out = b.shape(result)[-1]
    joined = layout.transpose(b, result, (0, 2, 1, 3))
    return layout.reshape(
        b, b.lazy(joined) if isinstance(joined, Lazy) else joined, (batch, rows, heads * out)
    )
