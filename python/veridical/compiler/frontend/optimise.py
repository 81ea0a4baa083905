"""Rewrites of the finished float graph: per-channel factors into weights, tables, dead nodes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler.frontend.layout import MASKED
from veridical.errors import UnsupportedOpError

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array
    from veridical.compiler.ir import FloatGraph, FloatNode

_LAYOUT = frozenset(["Reshape", "Transpose"])


def optimise(graph: FloatGraph) -> None:
    """Simplify in place; every tensor that is left is needed for an output."""
    drop_dead(graph)
    for node in graph.nodes:
        if node.op == MASKED:
            raise UnsupportedOpError(
                "a mask (huge negative term) does not end in a Softmax", node.source, "Add"
            )
    while _fold_factors(graph):
        drop_dead(graph)
    _give_scalars_an_axis(graph)


def _give_scalars_an_axis(graph: FloatGraph) -> None:
    """Turn rank 0 into shape (1,): a program's tensors have at least one axis."""
    scalars = {name for name, shape in graph.shapes.items() if shape == ()}
    for node in graph.nodes:
        if not scalars.intersection((*node.inputs, node.output)):
            continue
        if node.op not in ("Unary", "Affine", "Add", "Mul", "Reshape", "Expand"):
            raise UnsupportedOpError("an operand of rank 0", node.source, node.op)
        node.params = {key: np.atleast_1d(array) for key, array in node.params.items()}
        if node.output in scalars and "shape" in node.attrs:
            node.attrs = {**node.attrs, "shape": (1,)}
    for name in scalars:
        graph.shapes[name] = (1,)
    for spec in graph.inputs:
        spec.shape = graph.shapes[spec.name]


def drop_dead(graph: FloatGraph) -> None:
    """Remove nodes that no output needs, and the shapes of their tensors."""
    needed = {tensor for _, tensor in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    graph.nodes = kept[::-1]
    names = needed | {spec.name for spec in graph.inputs}
    graph.shapes = {name: shape for name, shape in graph.shapes.items() if name in names}
    graph.integers &= names


def _fold_factors(graph: FloatGraph) -> bool:
    """Fold each Affine, and each Unary over a table, into what produces its operand."""
    producers = {node.output: node for node in graph.nodes}
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(tensor for _, tensor in graph.outputs)
    changed = False
    for node in graph.nodes:
        if node.output in graph.integers:
            continue
        if node.op not in ("Affine", "Unary"):
            continue
        chain = _chain(node, producers, uses)
        if chain is None:
            continue
        if node.op == "Affine":
            changed |= _absorb(graph, node, chain, node.params["gain"], node.params["offset"])
        elif chain[-1].op == "Gather":
            table = chain[-1].params["table"]
            chain[-1].params = {"table": node.attrs["fn"].evaluate(table)}
            _bypass(graph, node)
            changed = True
    return changed


def _chain(
    node: FloatNode, producers: dict[str, FloatNode], uses: Counter[str]
) -> list[FloatNode] | None:
    """Return the layout nodes below a node, nearest first, then the op that has weights."""
    chain = []
    name = node.inputs[0]
    while name in producers and uses[name] == 1:
        below = producers[name]
        chain.append(below)
        if below.op in ("Linear", "Conv", "Gather"):
            return chain
        if below.op not in _LAYOUT:
            return None
        name = below.inputs[0]
    return None


def _through(
    graph: FloatGraph, layout_node: FloatNode, gain: Array, offset: Array
) -> tuple[Array, Array] | None:
    """Express factors of a layout node's result as factors of its operand."""
    source = graph.shapes[layout_node.inputs[0]]
    target = graph.shapes[layout_node.output]
    if layout_node.op == "Transpose":
        inverse = np.argsort(layout_node.attrs["perm"])
        return gain.transpose(inverse), offset.transpose(inverse)
    if gain.size == 1 and offset.size == 1:
        ones = (1,) * len(source)
        return gain.reshape(ones), offset.reshape(ones)
    if [n for n in source if n > 1] != [n for n in target if n > 1]:
        return None
    results = []
    for factor in (gain, offset):
        # Axes of size 1 move freely; every other axis keeps its place in the order.
        sizes = iter([f for f, n in zip(factor.shape, target, strict=True) if n > 1])
        results.append(factor.reshape([1 if n == 1 else next(sizes) for n in source]))
    return results[0], results[1]


def _absorb(
    graph: FloatGraph, node: FloatNode, chain: list[FloatNode], gain: Array, offset: Array
) -> bool:
    """Fold ``gain * x + offset`` into the weights at the end of the chain."""
    for layout_node in chain[:-1]:
        moved = _through(graph, layout_node, gain, offset)
        if moved is None:
            return False
        gain, offset = moved
    source = chain[-1]
    axis = {"Linear": -1, "Conv": -3}.get(source.op)
    if source.op == "Gather":
        return _absorb_in_table(graph, node, chain, gain, offset)
    rank = len(graph.shapes[source.output])
    channel = rank + axis if axis is not None else 0
    if any(n != 1 for factor in (gain, offset) for i, n in enumerate(factor.shape) if i != channel):
        return False
    weight = source.params["weight"]
    g, o = gain.reshape(-1), offset.reshape(-1)
    source.params = {
        "weight": weight * g.reshape(-1, *(1,) * (weight.ndim - 1)),
        "bias": source.params["bias"] * g + o,
    }
    _bypass(graph, node)
    return True


def _absorb_in_table(
    graph: FloatGraph, node: FloatNode, chain: list[FloatNode], gain: Array, offset: Array
) -> bool:
    source = chain[-1]
    lead = len(graph.shapes[source.inputs[0]])
    if any(n != 1 for factor in (gain, offset) for n in factor.shape[:lead]):
        return False
    g, o = (factor.reshape(1, *factor.shape[lead:]) for factor in (gain, offset))
    source.params = {"table": source.params["table"] * g + o}
    _bypass(graph, node)
    return True


def _bypass(graph: FloatGraph, node: FloatNode) -> None:
    """Let every reader of a node read its operand instead."""
    old, new = node.output, node.inputs[0]
    for other in graph.nodes:
        other.inputs = tuple(new if name == old else name for name in other.inputs)
    graph.outputs = [(public, new if name == old else name) for public, name in graph.outputs]
