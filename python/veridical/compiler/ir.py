"""The float graph: what the frontend hands to the quantiser.

A small closed set of operators over named tensors of fixed shape. The frontend rewrites every ONNX
node into these; the quantiser lowers each of them to ops of the integer program. Shapes are those
of the ONNX graph at batch size 1, leading axes included: an item of a program keeps all of them.

| op           | inputs     | parameters                        | attributes                     |
|--------------|------------|-----------------------------------|--------------------------------|
| Linear       | x          | weight (N, K), bias (N)           |                                |
| Conv         | x          | weight (O, C/g, KH, KW), bias (O) | stride, pad, dilation, groups  |
| MatMul       | a, b       |                                   | transpose_b                    |
| Unary        | x          |                                   | fn: an Expression              |
| Affine       | x          | gain, offset (broadcast)          |                                |
| Add          | x1 .. xk   |                                   | coeff: tuple of floats         |
| Mul          | a, b       |                                   |                                |
| Softmax      | x [, mask] |                                   | scale of the logits; last axis |
| LayerNorm    | x          |                                   | epsilon, centered; last axis   |
| WeightedMean | e, v       |                                   | rows of e sum to the divisor   |
| MaxPool      | x          |                                   | kernel, stride, pad, dilation  |
| SumPool      | x          |                                   | as MaxPool, and divisor        |
| ReduceSum    | x          |                                   | axes (kept as size 1), divisor |
| ReduceMax    | x          |                                   | axes (kept as size 1)          |
| ArgMax, TopK | x          |                                   | k, values; last axis           |
| Gather       | ids        | table (V, ...)                    |                                |
| Reshape      | x          |                                   | shape                          |
| Transpose    | x          |                                   | perm                           |
| Expand       | x          |                                   | shape (same rank)              |
| Concat       | x1 .. xk   |                                   | axis                           |
| Slice        | x          |                                   | axis, start, stop, step        |
| Pad          | x          |                                   | before, after, value           |

`pad` is (top, left, bottom, right). Broadcasting (Add, Mul, Affine, mask of Softmax): equal rank,
each dimension equal or 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True, kw_only=True)
class FloatNode:
    """One operator: reads `inputs`, defines `output`."""

    op: str
    inputs: tuple[str, ...]
    output: str
    params: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    """Names of the ONNX nodes it came from, for error messages and the report."""


@dataclass(slots=True, kw_only=True)
class GraphInput:
    """A model input at batch size 1."""

    name: str
    shape: tuple[int, ...]
    is_integer: bool
    low: int = 0
    """Inclusive range of an integer input; unused for real ones."""
    high: int = 0


@dataclass(slots=True, kw_only=True)
class FloatGraph:
    """A model in the closed operator set, nodes in topological order."""

    inputs: list[GraphInput]
    outputs: list[tuple[str, str]]
    """(public name, tensor name)."""
    nodes: list[FloatNode]
    shapes: dict[str, tuple[int, ...]]
    """Shape of every tensor, inputs included, at batch size 1."""
    integers: set[str] = field(default_factory=set)
    """Tensors that hold exact integers (ids, masks, argmax results)."""
