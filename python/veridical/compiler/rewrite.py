"""Rewrites of the float graph that keep its meaning and suit the integer program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.compiler.ir import FloatNode

if TYPE_CHECKING:
    from veridical.compiler.ir import FloatGraph


def pool_before_activation(graph: FloatGraph) -> None:
    """Exchange a rising piecewise-linear function with the max pool behind it.

    `max f(x) = f(max x)` for a function that never falls, so the table runs on a quarter of the
    elements. Only ReLU and clips are exchanged: their order property is evident.
    """
    users: dict[str, list[FloatNode]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            users.setdefault(name, []).append(node)
    published = {tensor for _, tensor in graph.outputs}
    index = {node.output: position for position, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        if node.op != "Unary" or node.output in published:
            continue
        function = node.attrs["fn"]
        if not (function.is_relu() or function.is_clip() is not None):
            continue
        followers = users.get(node.output, [])
        if len(followers) != 1 or followers[0].op != "MaxPool":
            continue
        pool = followers[0]
        pooled = f"{pool.output}#pooled"
        graph.shapes[pooled] = graph.shapes[pool.output]
        first = FloatNode(
            op="MaxPool",
            inputs=node.inputs,
            output=pooled,
            attrs=pool.attrs,
            source=pool.source,
        )
        second = FloatNode(
            op="Unary",
            inputs=(pooled,),
            output=pool.output,
            attrs=node.attrs,
            source=node.source,
        )
        del graph.shapes[node.output]
        graph.nodes[index[node.output]], graph.nodes[index[pool.output]] = first, second
        users[pooled] = [second]
