"""The integers of every op, on arrays whose first axis is the batch.

Spec: spec/v1/program.md, section 4. Operands are int32; results are exact and are given back as
int32 after the executor has compared them with the declared range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.reference.ops import division, elementwise, layout, lookup, product, reduction
from veridical.reference.ops.call import Call, Integers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Call", "Integers", "evaluate"]

_OPS: Mapping[str, Callable[[Call], Integers]] = {
    "linear": product.linear,
    "conv": product.conv,
    "matmul": product.matmul,
    "table": lookup.table,
    "shift": lookup.shift,
    "clamp": lookup.clamp,
    "softmax_numerator": lookup.softmax_numerator,
    "add": elementwise.add,
    "affine": elementwise.affine,
    "mul": elementwise.mul,
    "layernorm": division.layernorm,
    "weighted_mean": division.weighted_mean,
    "normalize": division.normalize,
    "max_pool": reduction.max_pool,
    "sum_pool": reduction.sum_pool,
    "reduce_sum": reduction.reduce_sum,
    "reduce_max": reduction.reduce_max,
    "argmax": reduction.argmax,
    "topk": reduction.topk,
    "gather": layout.gather,
    "reshape": layout.reshape,
    "transpose": layout.transpose,
    "expand": layout.expand,
    "concat": layout.concat,
    "slice": layout.slice_,
    "pad": layout.pad,
}


def evaluate(op: str, call: Call) -> Integers:
    """Return the result of one node.

    Raises:
        InputError: a row has nothing to average over (*empty row*).
    """
    return _OPS[op](call)
