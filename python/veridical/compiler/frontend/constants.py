"""Evaluation of nodes whose operands are all known, with the size decided before any work.

The arithmetic is `onnx.reference`. An operator is evaluated only if it is listed here with a bound
on the size of its result, so that a few bytes of model cannot ask for gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend.builder import MAX_ELEMENTS
from veridical.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx

    from veridical.compiler.frontend.builder import Array, GraphBuilder

_BROADCASTING = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Mod",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "Where",
        "PRelu",
        "And",
        "Or",
        "Xor",
        "Equal",
        "Less",
        "LessOrEqual",
        "Greater",
        "GreaterOrEqual",
        "BitShift",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
    ]
)
_NOT_GROWING = frozenset(
    [
        "Abs",
        "ArgMax",
        "ArgMin",
        "BatchNormalization",
        "BitwiseNot",
        "Cast",
        "CastLike",
        "Ceil",
        "Clip",
        "Compress",
        "Concat",
        "Cos",
        "CumSum",
        "DequantizeLinear",
        "Dropout",
        "Erf",
        "Exp",
        "Flatten",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LayerNormalization",
        "LeakyRelu",
        "Log",
        "Neg",
        "Not",
        "QuantizeLinear",
        "Reciprocal",
        "ReduceL1",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "ReduceSumSquare",
        "Relu",
        "Reshape",
        "Round",
        "ScatterElements",
        "ScatterND",
        "Shape",
        "Sigmoid",
        "Sign",
        "Sin",
        "Size",
        "Slice",
        "Softmax",
        "Softplus",
        "Split",
        "Sqrt",
        "Squeeze",
        "Tanh",
        "Transpose",
        "Trilu",
        "Unsqueeze",
    ]
)


def _range_size(arrays: Sequence[Array | None]) -> int:
    start, limit, step = (float(np.asarray(a).reshape(-1)[0]) for a in arrays if a is not None)
    if step == 0 or not all(np.isfinite([start, limit, step])):
        return MAX_ELEMENTS + 1
    return max(0, ceil((limit - start) / step))


def _product(array: Array | None) -> int:
    return prod(max(0, int(n)) for n in np.asarray(array).reshape(-1))


def _matmul_size(arrays: Sequence[Array | None]) -> int:
    """Bound the product whichever way its operands are transposed."""
    one, two = (np.asarray(x) for x in arrays[:2])
    rows = one.size // max(1, min(one.shape[-2:], default=1))
    columns = two.size // max(1, min(two.shape[-2:], default=1))
    return int(rows * columns)


def _gather_size(arrays: Sequence[Array | None]) -> int:
    data, indices = (np.asarray(x) for x in arrays[:2])
    return int(data.size // max(1, min(data.shape, default=1)) * indices.size)


def _pad_size(arrays: Sequence[Array | None]) -> int:
    data, pads = np.asarray(arrays[0]), np.asarray(arrays[1]).reshape(-1)
    rank = len(pads) // 2
    shape = data.shape[-rank:] if rank else ()
    grown = [n + max(0, int(pads[i])) + max(0, int(pads[i + rank])) for i, n in enumerate(shape)]
    return int(prod([*grown, *data.shape[: data.ndim - rank]]))


_GROWING: dict[str, Callable[[Sequence[Array | None]], int]] = {
    "ConstantOfShape": lambda arrays: _product(arrays[0]),
    "Expand": lambda arrays: prod(
        np.broadcast_shapes(
            np.asarray(arrays[0]).shape, tuple(int(n) for n in np.asarray(arrays[1]))
        )
    ),
    "Tile": lambda arrays: np.asarray(arrays[0]).size * _product(arrays[1]),
    "Range": _range_size,
    "Gather": _gather_size,
    "GatherElements": lambda arrays: np.asarray(arrays[1]).size,
    "GatherND": _gather_size,
    "Pad": _pad_size,
    "MatMul": _matmul_size,
    "Gemm": _matmul_size,
    "EyeLike": lambda arrays: np.asarray(arrays[0]).size,
    "NonZero": lambda arrays: np.asarray(arrays[0]).size * np.asarray(arrays[0]).ndim,
    "OneHot": lambda arrays: (
        np.asarray(arrays[0]).size * max(0, int(np.asarray(arrays[1]).reshape(-1)[0]))
    ),
}


@dataclass(slots=True)
class Budget:
    """Elements that folding may still produce for this model."""

    left: int = MAX_ELEMENTS
    beyond_operands: int = 2**25
    """Elements beyond those of the operands: what a few bytes of model can ask for."""

    def charge(self, size: int, operands: int) -> bool:
        """Take the elements of one result; say whether that was allowed."""
        self.left -= size
        self.beyond_operands -= max(0, size - operands)
        return self.left >= 0 and self.beyond_operands >= 0


def _result_size(op: str, arrays: Sequence[Array | None]) -> int | None:
    """Bound the elements of a result; None if the operator is not evaluated at all."""
    known = [np.asarray(a) for a in arrays if a is not None]
    if op in _GROWING and (op != "Pad" or len(arrays) > 1):
        return _GROWING[op](arrays)
    if op in _BROADCASTING:
        return prod(np.broadcast_shapes(*(a.shape for a in known)))
    return sum(a.size for a in known) if op in _NOT_GROWING else None


def fold(
    b: GraphBuilder,
    node: onnx.NodeProto,
    arrays: Sequence[Array | None],
    attrs: Mapping[str, Any],
    opset: int,
    budget: Budget,
) -> list[Array]:
    """Evaluate one node on constants."""
    import onnx

    if node.op_type == "Constant":
        return [_constant(b, attrs)]
    try:
        size = _result_size(node.op_type, arrays)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        b.unsupported(f"the operands of a constant expression do not fit: {error}")
    if size is None:
        b.unsupported("this operator is not supported on constants")
    if not budget.charge(size, sum(a.size for a in arrays if a is not None)):
        raise CompileError(
            f"constant folding would make {size} more elements, beyond the limit for one model",
            where=f"node {b.node_name!r}, op {b.node_op}",
            check="constant size",
        )
    bare = onnx.NodeProto()
    bare.CopyFrom(node)
    names = [f"i{i}" if name else "" for i, name in enumerate(node.input)]
    bare.ClearField("input")
    bare.input.extend(names)
    feeds = {name: a for name, a in zip(names, arrays, strict=True) if name and a is not None}
    return evaluate(b, bare, feeds, opset)


def _constant(b: GraphBuilder, attrs: Mapping[str, Any]) -> Array:
    import onnx

    for name, value in attrs.items():
        if name == "value":
            return onnx.numpy_helper.to_array(value)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
    return b.unsupported("a Constant must hold a dense tensor of numbers")


def evaluate(
    b: GraphBuilder, node: onnx.NodeProto, feeds: Mapping[str, Array], opset: int
) -> list[Array]:
    """Evaluate a node with ONNX's reference implementation; the caller bounds the size."""
    from onnx.reference import ReferenceEvaluator

    node.ClearField("name")
    outputs = [name for name in node.output if name]
    try:
        with np.errstate(all="ignore"):
            session = ReferenceEvaluator(node, opsets={"": opset})
            results = session.run(outputs, dict(feeds))
    except Exception as error:  # noqa: BLE001 - the library raises what it likes
        b.unsupported(f"a constant expression cannot be evaluated: {error}")
    by_name = dict(zip(outputs, results, strict=True))
    return [np.asarray(by_name.get(name)) for name in node.output]
