"""From an ONNX graph to the float graph: one converter per ONNX operator.

`CONVERTERS` is the registry; the `ops_*` modules fill it. The graph is walked once, in topological
order: a node whose inputs are known is evaluated on the spot, any other node is converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from veridical.compiler.frontend import constants
from veridical.compiler.frontend.builder import GraphBuilder, Lazy
from veridical.compiler.frontend.external import type_name
from veridical.compiler.frontend.types import FLOATS, INTEGERS, NARROW, of_array, output_types
from veridical.compiler.ir import FloatGraph, GraphInput
from veridical.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx

    from veridical.compiler.expression import Expression
    from veridical.compiler.frontend.builder import Value

Converter: TypeAlias = "Callable[[Context], Value | list[Value]]"

CONVERTERS: dict[str, Converter] = {}


def converter(*names: str) -> Callable[[Converter], Converter]:
    """Register a converter for ONNX operators of the default domain."""

    def register(function: Converter) -> Converter:
        for name in names:
            CONVERTERS[name] = function
        return function

    return register


@dataclass(slots=True, kw_only=True)
class Context:
    """One ONNX node with its operands."""

    b: GraphBuilder
    op: str
    opset: int
    inputs: list[Value | None]
    attrs: dict[str, Any]
    output_count: int = 1
    """Outputs up to the last one that anything reads."""
    types: tuple[str, ...] = ()
    """Element types of the inputs, empty where unknown, then that of the first output."""

    def has(self, index: int) -> bool:
        """Say whether an optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    @property
    def makes_integers(self) -> bool:
        """Say whether the first output has an integer type."""
        return bool(self.types) and self.types[-1] in INTEGERS

    def value(self, index: int) -> Value:
        """Return an operand that must be given."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            self.b.unsupported(f"input {index} is missing")
        return value

    def constant(self, index: int, what: str) -> np.ndarray[Any, Any]:
        """Return an operand that must be known at compile time."""
        value = self.value(index)
        if not isinstance(value, np.ndarray):
            self.b.unsupported(f"{what} (input {index}) must be a constant")
        return value

    def integers(self, index: int, attribute: str) -> list[int] | None:
        """Return a list that is an input in newer opsets and an attribute in older ones."""
        if self.has(index):
            return [int(n) for n in self.constant(index, attribute).reshape(-1)]
        listed = self.attrs.get(attribute)
        return None if listed is None else [int(n) for n in listed]

    def axis(self, default: int, rank: int | None = None) -> int:
        """Return attribute ``axis``, counted from the front."""
        return self.wrap(int(self.attrs.get("axis", default)), rank)

    def wrap(self, axis: int, rank: int | None = None) -> int:
        """Count an axis from the front."""
        rank = len(self.b.shape(self.value(0))) if rank is None else rank
        if not -rank <= axis < max(rank, 1):
            self.b.unsupported(f"axis {axis} is outside a tensor of rank {rank}")
        return axis + rank if axis < 0 else axis


def convert(
    model: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    integer_ranges: Mapping[str, tuple[int, int]],
    initialisers: Mapping[str, np.ndarray[Any, Any]],
) -> FloatGraph:
    """Convert a checked model whose input shapes are fixed."""
    b = GraphBuilder()
    values: dict[str, Value] = dict(initialisers)
    inputs = _declare_inputs(b, model, shapes, integer_ranges, values)
    _guess_ranges(b, model, values)
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    budget = constants.Budget()
    walk = _Walk(b, opset, values, budget, _input_types(model), _read_names(model))
    for node in model.graph.node:
        b.node_name = node.name or (node.output[0] if node.output else "")
        b.node_op = node.op_type
        _convert_node(walk, node)
    b.node_name = b.node_op = ""
    outputs = []
    for output in model.graph.output:
        value = values[output.name]
        if isinstance(value, np.ndarray):
            raise CompileError(
                f"output {output.name!r} does not depend on any input",
                where=output.name,
                check="constant output",
            )
        b.node_name, b.node_op = output.name, "output"
        outputs.append((output.name, b.materialise(value)))
    for spec in inputs:
        bounds = b.ranges.get(spec.name)
        if not spec.is_integer:
            continue
        if bounds is None:
            raise CompileError(
                f"the range of integer input {spec.name!r} is not known and cannot be derived",
                where=spec.name,
                check="integer range",
                advice=f"Declare it, for instance integer_ranges={{{spec.name!r}: (0, 1)}}.",
            )
        spec.low, spec.high = bounds
    integers = {name for name, bounds in b.ranges.items() if bounds is not None}
    return FloatGraph(
        inputs=inputs, outputs=outputs, nodes=b.nodes, shapes=b.shapes, integers=integers
    )


def _declare_inputs(
    b: GraphBuilder,
    model: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    integer_ranges: Mapping[str, tuple[int, int]],
    values: dict[str, Value],
) -> list[GraphInput]:
    inputs = []
    for proto in model.graph.input:
        if proto.name in values:
            continue  # an initialiser listed as an input has a default, which is its value
        kind = type_name(proto.type.tensor_type.elem_type)
        if kind not in FLOATS | INTEGERS | frozenset(NARROW):
            raise CompileError(
                f"input {proto.name!r} has element type {kind}",
                where=proto.name,
                check="element type",
            )
        integer = kind not in FLOATS
        shape = shapes[proto.name]
        values[proto.name] = b.add_input(proto.name, shape, integer=integer)
        if integer:
            b.ranges[proto.name] = integer_ranges.get(proto.name, NARROW.get(kind))
        inputs.append(GraphInput(name=proto.name, shape=shape, is_integer=integer))
    unknown = sorted(set(integer_ranges) - {spec.name for spec in inputs})
    if unknown:
        raise CompileError(
            f"integer ranges name inputs that the model does not have: {', '.join(unknown)}",
            where="integer_ranges",
            check="integer range",
        )
    return inputs


_PAIR = 2
_KEEPS_IDS = frozenset(["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Expand"])


def _guess_ranges(b: GraphBuilder, model: onnx.ModelProto, values: Mapping[str, Value]) -> None:
    """Give an input that indexes a constant table, or is compared one-hot, the table's range.

    A range that the caller gives inside it is widened: every row of the table is then usable.
    """
    alias = {proto.name: proto.name for proto in model.graph.input}
    for node in model.graph.node:
        if node.op_type in _KEEPS_IDS and node.input and node.output:
            source = alias.get(node.input[0])
            if source is not None:
                alias[node.output[0]] = source
        if len(node.input) != _PAIR or node.op_type not in ("Gather", "Equal"):
            continue
        table, ids = values.get(node.input[0]), alias.get(node.input[1], "")
        if node.op_type == "Equal" and not isinstance(table, np.ndarray):
            table, ids = values.get(node.input[1]), alias.get(node.input[0], "")
        if not isinstance(table, np.ndarray) or ids not in b.ranges:
            continue
        last = _last_row(node, table)
        known = b.ranges[ids]
        if last > 0 and (known is None or (known[0] >= 0 and known[1] <= last)):
            b.ranges[ids] = (0, last)


def _last_row(node: onnx.NodeProto, table: np.ndarray[Any, Any]) -> int:
    """Return the greatest index that a table, or a list of all codes, has; 0 if it is neither."""
    if node.op_type == "Equal":
        codes = table.reshape(-1)
        whole = codes.size > 1 and np.array_equal(codes, np.arange(codes.size))
        return int(codes.size) - 1 if whole else 0
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    return int(table.shape[axis]) - 1 if -table.ndim <= axis < table.ndim else 0


@dataclass(frozen=True, slots=True)
class _Walk:
    """What stays the same from node to node."""

    b: GraphBuilder
    opset: int
    values: dict[str, Value]
    budget: constants.Budget
    types: dict[str, str]
    read: frozenset[str]


def _input_types(model: onnx.ModelProto) -> dict[str, str]:
    return {p.name: type_name(p.type.tensor_type.elem_type) for p in model.graph.input}


def _read_names(model: onnx.ModelProto) -> frozenset[str]:
    names = {name for node in model.graph.node for name in node.input}
    return frozenset(names | {proto.name for proto in model.graph.output})


def _convert_node(walk: _Walk, node: onnx.NodeProto) -> None:
    import onnx

    b, values = walk.b, walk.values
    attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    inputs = [values[name] if name else None for name in node.input]
    read = [i for i, name in enumerate(node.output) if name in walk.read]
    types = [
        of_array(v) if isinstance(v, np.ndarray) else walk.types.get(name, "")
        for name, v in zip(node.input, inputs, strict=True)
    ]
    made = output_types(node.op_type, walk.opset, types, attrs, len(node.output))
    walk.types.update(zip(node.output, made, strict=False))
    context = Context(
        b=b,
        op=node.op_type,
        opset=walk.opset,
        inputs=inputs,
        attrs=attrs,
        output_count=max(read, default=0) + 1,
        types=(*types, made[0] if made else ""),
    )
    static = [v for v in inputs if v is not None]
    if node.op_type in ("Shape", "Size") and not isinstance(static[0], np.ndarray):
        results: Value | list[Value] = _shape_of(context)
    elif all(isinstance(v, np.ndarray) for v in static):
        arrays = [None if v is None else np.asarray(v) for v in inputs]
        results = list(constants.fold(b, node, arrays, attrs, walk.opset, walk.budget))
    else:
        function = CONVERTERS.get(node.op_type)
        if function is None:
            b.unsupported("this operator is not supported")
        results = _checked(context, function)
    listed = results if isinstance(results, list) else [results]
    values.update((n, v) for n, v in zip(node.output, listed, strict=False) if n)
    missing = [name for name in node.output[len(listed) :] if name in walk.read]
    if missing:
        b.unsupported(f"output {missing[0]!r} is not supported")


#: What Python and NumPy raise when ranks, sizes or attributes of a malformed node do not fit.
_MISFITS = (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError)


def _checked(context: Context, function: Converter) -> Value | list[Value]:
    """Run a converter on a node that may be malformed in ways that no schema tells."""
    try:
        return function(context)
    except _MISFITS as error:
        context.b.unsupported(f"operands and attributes do not fit together: {error}")


def _shape_of(context: Context) -> Value:
    shape = context.b.shape(context.value(0))
    if context.op == "Size":
        return np.array(int(np.prod(shape)), np.int64)
    rank = len(shape)
    start = context.attrs.get("start", 0)
    end = context.attrs.get("end", rank)
    return np.array(shape[slice(start, end)], np.int64)


def unary(context: Context, fn: Expression) -> Lazy:
    """Apply a function to the first operand."""
    return context.b.apply(fn, context.value(0))
