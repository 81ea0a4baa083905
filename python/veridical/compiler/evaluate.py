"""The float graph in float64, on NumPy: calibration ranges and the accuracy reference.

Every tensor carries the batch as an extra leading axis: shape `(B, *shape)`. Matrix products and
convolutions (by im2col) run in BLAS, one batch at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from veridical.errors import InputError, InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from veridical.compiler.ir import FloatGraph, FloatNode

_BLOCK = 2**15
"""Elements that a function of rows works on at a time: its temporaries then fit a cache."""

Array: TypeAlias = "NDArray[np.float64]"


class FloatEvaluator:
    """Evaluates a graph, and drops every tensor after its last use unless it is kept."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self._last_use: dict[str, int] = {}
        for position, node in enumerate(graph.nodes):
            for name in node.inputs:
                self._last_use[name] = position
        self._outputs = {tensor for _, tensor in graph.outputs}

    def run(
        self, inputs: Mapping[str, NDArray[np.generic]], *, keep: set[str] | None = None
    ) -> dict[str, Array]:
        """Evaluate a batch and return the kept tensors and the outputs, by tensor name.

        Shape: each input `(B, *shape)`, or `(B, *shape[1:])` if `shape[0]` is 1;
        results `(B, *shape)`.

        Args:
            inputs: one array per graph input.
            keep: names of tensors to return besides the outputs; None keeps all of them.

        Raises:
            InputError: an input is missing or has another shape.
        """
        wanted = self._outputs | (keep or set())
        return {name: array for name, array in self.steps(inputs) if keep is None or name in wanted}

    def steps(self, inputs: Mapping[str, NDArray[np.generic]]) -> Iterator[tuple[str, Array]]:
        """Evaluate a batch and yield every tensor, inputs first, as soon as it is known.

        A tensor whose last use is over is dropped, so a caller who keeps none needs little memory.
        """
        values = self._bind(inputs)
        yield from list(values.items())
        for position, node in enumerate(self.graph.nodes):
            with np.errstate(all="ignore"):
                result = evaluate_node(node, [values[name] for name in node.inputs])
            values[node.output] = result
            for name in node.inputs:
                if self._last_use[name] == position:
                    values.pop(name, None)
            yield node.output, result

    def outputs(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        """Evaluate a batch and return the outputs by their public names."""
        tensors = self.run(inputs, keep=set())
        return {public: tensors[tensor] for public, tensor in self.graph.outputs}

    def _bind(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        values: dict[str, Array] = {}
        batch: int | None = None
        for spec in self.graph.inputs:
            if spec.name not in inputs:
                raise InputError(f"input {spec.name!r} is missing", where="inputs")
            array = np.asarray(inputs[spec.name])
            rest = spec.shape[1:] if spec.shape[:1] == (1,) else None
            if array.shape[1:] == spec.shape:
                pass
            elif rest is not None and array.ndim == len(rest) + 1 and array.shape[1:] == rest:
                array = array[:, np.newaxis]
            else:
                raise InputError(
                    f"input {spec.name!r} has shape {array.shape}, expected (B, *{spec.shape})",
                    where="inputs",
                )
            if batch is not None and array.shape[0] != batch:
                raise InputError(
                    f"input {spec.name!r} has batch {array.shape[0]}, others have {batch}",
                    where="inputs",
                )
            batch = array.shape[0]
            values[spec.name] = array.astype(np.float64)
        return values


def evaluate_node(node: FloatNode, args: list[Array]) -> Array:
    """Evaluate one operator; every array has the batch as an extra leading axis."""
    operator = _OPERATORS.get(node.op)
    if operator is None:
        raise InternalError(f"float operator {node.op} has no evaluator", where=node.source)
    return np.asarray(operator(node, *args), dtype=np.float64)


def _linear(node: FloatNode, x: Array) -> Array:
    weight, bias = node.params["weight"], node.params["bias"]
    flat = x.reshape(-1, x.shape[-1]) @ weight.T
    flat += bias
    return flat.reshape(*x.shape[:-1], weight.shape[0])


def _windows(
    node: FloatNode, x: Array, kernel: tuple[int, int], fill: float
) -> NDArray[np.float64]:
    """Return a view (.., OH, OW, KH, KW) of the padded image's windows."""
    (sh, sw), (top, left, bottom, right) = node.attrs["stride"], node.attrs["pad"]
    dh, dw = node.attrs["dilation"]
    if top or left or bottom or right:
        widths = [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)]
        x = np.pad(x, widths, constant_values=fill)
    extent = (dh * (kernel[0] - 1) + 1, dw * (kernel[1] - 1) + 1)
    view = sliding_window_view(x, extent, axis=(-2, -1))
    return view[..., ::sh, ::sw, ::dh, ::dw]


def _conv(node: FloatNode, x: Array) -> Array:
    weight, bias, groups = node.params["weight"], node.params["bias"], node.attrs["groups"]
    out, per_group, kh, kw = weight.shape
    lead = x.shape[:-3]
    x = x.reshape(-1, *x.shape[-3:])
    view = _windows(node, x, (kh, kw), 0.0)
    batch, channels, oh, ow = view.shape[:4]
    result = np.empty((batch, out, oh * ow))
    if per_group == 1 and groups == channels:
        multiple = out // groups
        total = np.zeros((batch, groups, multiple, oh, ow))
        taps = weight.reshape(groups, multiple, kh, kw)
        for i in range(kh):
            for j in range(kw):
                total += view[:, :, np.newaxis, :, :, i, j] * taps[:, :, i, j, None, None]
        result = total.reshape(batch, out, oh * ow)
    else:
        size = out // groups
        for g in range(groups):
            part = view[:, g * per_group : (g + 1) * per_group]
            matrix = weight[g * size : (g + 1) * size].reshape(size, -1)
            for item in range(batch):
                columns = part[item].transpose(0, 3, 4, 1, 2).reshape(matrix.shape[1], oh * ow)
                np.matmul(matrix, columns, out=result[item, g * size : (g + 1) * size])
    result += bias[:, np.newaxis]
    return result.reshape(*lead, out, oh, ow)


def _matmul(node: FloatNode, a: Array, b: Array) -> Array:
    right = np.swapaxes(b, -1, -2) if node.attrs["transpose_b"] else b
    # Strided operands of rank 4 miss the fast path of matmul: 16 times slower on attention.
    return np.ascontiguousarray(a) @ np.ascontiguousarray(right)


def _by_block(function: Callable[[Array], Array], x: Array, row: int) -> Array:
    """Apply a function of rows of `row` elements block by block: what it allocates stays cached."""
    if x.size <= _BLOCK:
        return function(x)
    rows = np.ascontiguousarray(x).reshape(-1, row)
    result = np.empty_like(rows)
    size = max(1, _BLOCK // row)
    for start in range(0, len(rows), size):
        result[start : start + size] = function(rows[start : start + size])
    return result.reshape(x.shape)


def _unary(node: FloatNode, x: Array) -> Array:
    return _by_block(node.attrs["fn"].evaluate, x, 1)


def _affine(node: FloatNode, x: Array) -> Array:
    return node.params["gain"] * x + node.params["offset"]


def _add(node: FloatNode, *terms: Array) -> Array:
    total: Array = np.zeros(())
    for coefficient, term in zip(node.attrs["coeff"], terms, strict=True):
        total = total + (term if coefficient == 1.0 else coefficient * term)
    return total


def _softmax(node: FloatNode, x: Array, mask: Array | None = None) -> Array:
    if mask is not None:
        x = np.where(mask != 0, x * node.attrs["scale"], -np.inf)

    def shares(rows: Array) -> Array:
        logits = rows if mask is not None else rows * node.attrs["scale"]
        e = logits - logits.max(axis=-1, keepdims=True)
        np.exp(e, out=e)
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    return _by_block(shares, x, x.shape[-1])


def _layernorm(node: FloatNode, x: Array) -> Array:
    def normalise(rows: Array) -> Array:
        c = rows - rows.mean(axis=-1, keepdims=True) if node.attrs["centered"] else rows
        variance = (c * c).mean(axis=-1, keepdims=True)
        return np.asarray(c / np.sqrt(variance + node.attrs["epsilon"]))

    return _by_block(normalise, x, x.shape[-1])


def _weighted_mean(_: FloatNode, e: Array, v: Array) -> Array:
    return np.asarray((e @ v) / e.sum(axis=-1, keepdims=True))


def _max_pool(node: FloatNode, x: Array) -> Array:
    kernel: tuple[int, int] = tuple(node.attrs["kernel"])
    return np.asarray(_windows(node, x, kernel, -math.inf).max(axis=(-2, -1)))


def _sum_pool(node: FloatNode, x: Array) -> Array:
    kernel: tuple[int, int] = tuple(node.attrs["kernel"])
    return np.asarray(_windows(node, x, kernel, 0.0).sum(axis=(-2, -1)) / node.attrs["divisor"])


def _reduce_sum(node: FloatNode, x: Array) -> Array:
    axes = tuple(axis + 1 for axis in node.attrs["axes"])
    return np.asarray(x.sum(axis=axes, keepdims=True) / node.attrs["divisor"])


def _reduce_max(node: FloatNode, x: Array) -> Array:
    axes = tuple(axis + 1 for axis in node.attrs["axes"])
    return np.asarray(x.max(axis=axes, keepdims=True))


def _topk(node: FloatNode, x: Array) -> Array:
    # Stable: equal values keep the lowest index first.
    order = np.argsort(-x, axis=-1, kind="stable")[..., : node.attrs["k"]]
    return np.take_along_axis(x, order, axis=-1) if node.attrs["values"] else order.astype(float)


def _gather(node: FloatNode, ids: Array) -> Array:
    return node.params["table"][ids.astype(np.int64)]


def _transpose(node: FloatNode, x: Array) -> Array:
    # A copy: matrix products of strided views do not reach BLAS.
    return np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in node.attrs["perm"])))


def _slice(node: FloatNode, x: Array) -> Array:
    axis = node.attrs["axis"] + 1
    window = slice(node.attrs["start"], node.attrs["stop"], node.attrs["step"])
    return np.asarray(x[(slice(None),) * axis + (window,)])


def _pad(node: FloatNode, x: Array) -> Array:
    widths = [(0, 0), *zip(node.attrs["before"], node.attrs["after"], strict=True)]
    return np.pad(x, widths, constant_values=node.attrs["value"])


_OPERATORS: dict[str, Callable[..., Array]] = {
    "Linear": _linear,
    "Conv": _conv,
    "MatMul": _matmul,
    "Unary": _unary,
    "Affine": _affine,
    "Add": _add,
    "Mul": lambda _, a, b: a * b,
    "Softmax": _softmax,
    "LayerNorm": _layernorm,
    "WeightedMean": _weighted_mean,
    "MaxPool": _max_pool,
    "SumPool": _sum_pool,
    "ReduceSum": _reduce_sum,
    "ReduceMax": _reduce_max,
    "ArgMax": lambda _, x: np.argmax(x, axis=-1, keepdims=True).astype(np.float64),
    "TopK": _topk,
    "Gather": _gather,
    "Reshape": lambda node, x: x.reshape(x.shape[0], *node.attrs["shape"]),
    "Transpose": _transpose,
    "Expand": lambda node, x: np.broadcast_to(x, (x.shape[0], *node.attrs["shape"])),
    "Concat": lambda node, *parts: np.concatenate(parts, axis=node.attrs["axis"] + 1),
    "Slice": _slice,
    "Pad": _pad,
}
