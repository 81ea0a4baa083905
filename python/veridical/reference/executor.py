"""Runs the nodes of a graph in order.

Spec: spec/v1/program.md, sections 3 and 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.errors import InternalError
from veridical.reference.ops import Call, Integers, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical.reference.graph import Graph


def execute(
    graph: Graph,
    consts: Mapping[int, Integers],
    inputs: list[NDArray[np.int32]],
    *,
    keep_trace: bool,
) -> dict[int, NDArray[np.int32]]:
    """Return every tensor by id, or only the outputs if no trace is kept.

    Without a trace, a tensor is dropped after the last node that reads it.

    Raises:
        InputError: *empty row*.
        InternalError: a result left its declared range, which a checked program cannot.
    """
    tensors = dict(enumerate(inputs))
    wanted = {output.tensor for output in graph.outputs}
    last_use = {tensor: i for i, node in enumerate(graph.nodes) for tensor in node.operands}
    for index, node in enumerate(graph.nodes):
        where = f"node {index} ({node.op})"
        call = Call(
            where=where,
            operands=tuple(tensors[tensor] for tensor in node.operands),
            consts=tuple(consts[const] for const in node.consts),
            integers=node.integers,
            lists=node.lists,
        )
        tensor = len(inputs) + index
        tensors[tensor] = _checked(evaluate(node.op, call), graph, tensor, where)
        if not keep_trace:
            for operand in set(node.operands) - wanted:
                if last_use[operand] == index:
                    del tensors[operand]
    return tensors if keep_trace else {tensor: tensors[tensor] for tensor in wanted}


def _checked(values: Integers, graph: Graph, tensor: int, where: str) -> NDArray[np.int32]:
    """Return the result as int32 after comparing it with what was proven at load."""
    declared = graph.tensors[tensor]
    if values.shape[1:] != declared.shape:
        raise InternalError(f"shape {values.shape[1:]}, declared {declared.shape}", where, "shape")
    low, high = int(values.min()), int(values.max())
    if low < declared.lo or high > declared.hi:
        message = f"[{low}, {high}] leaves the declared [{declared.lo}, {declared.hi}]"
        raise InternalError(message, where, "range")
    return np.ascontiguousarray(values, np.int32)
