"""What a loader checks about every node: shape, range and the conditions of its op.

Spec: spec/v1/program.md, sections 4 and 5. All arithmetic is exact: Python integers, or int64 with
a bound beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from veridical.errors import ProgramError
from veridical.reference.conditions import (
    division,
    elementwise,
    layout,
    lookup,
    product,
    reduction,
)
from veridical.reference.conditions.view import ConstView, Derived, NodeView, OperandView

if TYPE_CHECKING:
    from veridical.reference.graph import Graph, Node

__all__ = ["Derived", "check", "derive"]

_RULES: Mapping[str, Callable[[NodeView], Derived]] = {
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

#: Values of a const by id; a holder of a key file has those of the tables only.
ConstValues = Mapping[int, NDArray[np.signedinteger]]


def derive(
    graph: Graph,
    node: Node,
    values: ConstValues,
    row_norms: Mapping[int, int],
    where: str,
) -> Derived:
    """Return shape, range and row norm of the result of one node.

    The range is None if it depends on weights that are not at hand.

    Raises:
        ProgramError: a condition of the op does not hold; `check` is its name.
    """
    operands = tuple(
        OperandView(
            tensor=tensor,
            lo=graph.tensors[tensor].lo,
            hi=graph.tensors[tensor].hi,
            shape=graph.tensors[tensor].shape,
            row_norm=row_norms.get(tensor),
        )
        for tensor in node.operands
    )
    consts = tuple(
        ConstView(
            dtype=graph.consts[const].dtype,
            shape=graph.consts[const].shape,
            values=values.get(const),
        )
        for const in node.consts
    )
    view = NodeView(
        where=where,
        operands=operands,
        consts=consts,
        integers=node.integers,
        lists=node.lists,
    )
    return _RULES[node.op](view)


def check(graph: Graph, values: ConstValues) -> None:
    """Check every node of a graph against its declared tensors, in order.

    Raises:
        ProgramError: names the node and the condition.
    """
    row_norms: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        tensor = len(graph.inputs) + index
        declared = graph.tensors[tensor]
        where = f"node {index} ({node.op})"
        derived = derive(graph, node, values, row_norms, where)
        if derived.shape != declared.shape:
            message = f"shape {list(declared.shape)} is declared, {list(derived.shape)} follows"
            raise ProgramError(message, where, "shape")
        if derived.bounds is not None:
            lo, hi = derived.bounds
            if not declared.lo <= lo <= hi <= declared.hi:
                message = f"range [{lo}, {hi}] is not inside [{declared.lo}, {declared.hi}]"
                raise ProgramError(message, where, "range")
        if derived.row_norm is not None:
            row_norms[tensor] = derived.row_norm
