"""Layout ops: they move integers; requantisation happens before them where a consumer needs it."""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Any

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler import ranges
from veridical.compiler.lower.requantise import coarsen, requantise
from veridical.errors import CompileError

if TYPE_CHECKING:
    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering
    from veridical.compiler.lower.value import Value


def _operand(low: Lowering, node: FloatNode) -> Value:
    name = node.inputs[0]
    if low.wants_narrow(node.output) and node.output not in low.graph.integers:
        return low.narrow(name, low.operand_bits(node.output))
    return low.emitted(name)


def layout(low: Lowering, node: FloatNode) -> None:
    """Lower Reshape, Transpose, Expand, Slice and Pad."""
    value = _operand(low, node)
    tensor = low.tensor(value)
    attributes: dict[str, Any] = {}
    bounds, row_norm = tensor.range, tensor.row_norm
    shape = low.graph.shapes[node.output]
    match node.op:
        case "Reshape" | "Expand":
            attributes["shape"] = list(shape)
            if shape[-1] != tensor.shape[-1]:
                row_norm = None
        case "Transpose":
            attributes["perm"] = list(node.attrs["perm"])
            if attributes["perm"][-1] != len(tensor.shape) - 1:
                row_norm = None
        case "Slice":
            for key in ("axis", "start", "stop", "step"):
                attributes[key] = int(node.attrs[key])
            if attributes["axis"] == len(tensor.shape) - 1:
                row_norm = None
        case "Pad":
            value, fill = _filled(low, node, value)
            tensor = low.tensor(value)
            bounds = tensor.range
            attributes.update(
                before=list(node.attrs["before"]), after=list(node.attrs["after"]), value=fill
            )
            bounds, row_norm = ranges.union([bounds, (fill, fill)]), None
        case _:
            msg = f"{node.op} is not a layout op"
            raise CompileError(msg)
    if node.op == "Reshape" and shape == tensor.shape:
        low.values[node.output] = value
        return
    emitted = low.builder.emit(
        node.op.lower(),
        [value.tensor],
        shape,
        bounds,
        row_norm=row_norm,
        source=node.output,
        **attributes,
    )
    low.values[node.output] = replace(value, tensor=emitted)


def _filled(low: Lowering, node: FloatNode, value: Value) -> tuple[Value, int]:
    """Return the operand of a Pad and the integer that fills it, at a step that has room for it."""
    name = node.inputs[0]
    fill = float(node.attrs.get("value", 0.0))
    if abs(fill) * 2.0**value.exponent > float(abs(value.gain)) * modulus.ROOMY:
        reach = max(low.inner_reach(name, value), abs(fill))
        value = requantise(low, name, value, ex.identity(), bits=15, reach=reach)
    return value, floor(fill * 2.0**value.exponent / float(value.gain) + 0.5)


def concat(low: Lowering, node: FloatNode) -> None:
    """Lower Concat: all parts are brought to one step first."""
    if node.output in low.graph.integers:
        parts = [low.values[name] for name in node.inputs]
    else:
        parts = _aligned(low, node)
    axis = int(node.attrs["axis"])
    norms = [low.tensor(part).row_norm for part in parts]
    rank = len(low.graph.shapes[node.output])
    known = [norm for norm in norms if norm is not None]
    keeps = axis != rank - 1 and len(known) == len(norms)
    emitted = low.builder.emit(
        "concat",
        [part.tensor for part in parts],
        low.graph.shapes[node.output],
        ranges.union([low.tensor(part).range for part in parts]),
        row_norm=max(known) if keeps else None,
        source=node.output,
        axis=axis,
    )
    low.values[node.output] = replace(parts[0], tensor=emitted)


def _aligned(low: Lowering, node: FloatNode) -> list[Value]:
    values = [low.emitted(name) for name in node.inputs]
    same = {(value.exponent, value.gain) for value in values}
    if len(same) == 1 and not low.wants_narrow(node.output):
        return values
    bits = low.operand_bits(node.output)
    reach = max(low.inner_reach(n, v) for n, v in zip(node.inputs, values, strict=True))
    narrowed = [
        requantise(low, n, v, ex.identity(), bits=bits, reach=reach)
        for n, v in zip(node.inputs, values, strict=True)
    ]
    target = min(value.exponent for value in narrowed)
    result = []
    for value in narrowed:
        shift = value.exponent - target
        if shift == 0:
            result.append(value)
            continue
        result.append(coarsen(low, node.output, value, shift))
    return result
