"""State of a lowering: values, widths, and requantisation.

A float tensor `t` becomes a `Value`: `real = gain * integer * 2^-exponent`. Every step is a power of
two, so that sums are exact and tables are shared; `gain` is a constant factor that waits for the
next table, weight or decoding to absorb it. An `Affine` whose consumer can absorb it waits too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor, log2
from typing import TYPE_CHECKING, Final

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler.tables import TablePool
from veridical.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.compiler.builder import ProgramBuilder, Tensor
    from veridical.compiler.ir import FloatGraph, FloatNode
    from veridical.compiler.precision import Precision
    from veridical.compiler.ranges import Range

LAYOUT: Final = frozenset({"Reshape", "Transpose", "Expand", "Concat", "Slice", "Pad"})
_SMALL_PRODUCTS: Final = 8
_LOG_M: Final = log2(modulus.M)
_LOG_P: Final = log2(modulus.P)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Integers that stand for a float tensor: `real = gain * integer * 2^-exponent`.

    With `factor` and `offset` set, `real = factor * (gain * integer * 2^-exponent) + offset`,
    broadcast: an affine map that has not been emitted yet.
    """

    tensor: int
    exponent: int
    gain: Fraction = Fraction(1)
    factor: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None


@dataclass(slots=True)
class Lowering:
    """Everything the lowering functions share."""

    graph: FloatGraph
    builder: ProgramBuilder
    precision: Precision
    calibrated: dict[str, tuple[float, float]]
    """Least and greatest value of every float tensor over the calibration samples."""
    values: dict[str, Value] = field(default_factory=dict)
    pool: TablePool = field(default_factory=TablePool)
    consumers: dict[str, list[FloatNode]] = field(default_factory=dict)
    _producers: dict[str, FloatNode] = field(default_factory=dict)
    _products: int = 0
    _narrowed: dict[tuple[int, int], Value] = field(default_factory=dict)
    _settled: dict[tuple[int, Fraction], Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the consumers of every tensor."""
        for node in self.graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self.consumers.setdefault(name, []).append(node)
        self._producers = {node.output: node for node in self.graph.nodes}
        self._products = sum(node.op in ("Linear", "Conv", "MatMul") for node in self.graph.nodes)

    @property
    def is_small(self) -> bool:
        """Whether the model has so few products that every table may be its own."""
        return self._products <= _SMALL_PRODUCTS

    # ---- facts -----------------------------------------------------------------------------

    def tensor(self, value: Value) -> Tensor:
        """Return the program tensor of a value."""
        return self.builder.tensors[value.tensor]

    def reach(self, name: str) -> float:
        """Return the greatest magnitude seen in calibration (never zero)."""
        low, high = self.calibrated[name]
        return max(abs(low), abs(high), 1e-12)

    def is_output(self, name: str) -> bool:
        """Whether the tensor is a model output."""
        return any(tensor == name for _, tensor in self.graph.outputs)

    def operand_bits(self, name: str) -> int:
        """Return the magnitude bits that the consumers of a tensor can take.

        A multiply-accumulate has a budget of about 30 bits: operand, weight, and the row sum of
        the weight in units of its largest element. Operand and weight share it evenly.
        """
        bits = self.precision.activation_bits
        for node in self.consumers.get(name, []):
            if node.op in ("Linear", "Conv"):
                bits = min(bits, self._weight_budget(node, name))
            elif node.op == "MatMul":
                bits = min(bits, self.matmul_bits(node, name))
            elif node.op in LAYOUT:
                bits = min(bits, self.operand_bits(node.output))
        return bits

    def _weight_budget(self, node: FloatNode, name: str) -> int:
        weight = node.params["weight"].reshape(node.params["weight"].shape[0], -1)
        low, high = self.calibrated[name]
        positive = np.maximum(weight, 0).sum(axis=1)
        negative = np.maximum(-weight, 0).sum(axis=1)
        if low >= 0 or high <= 0:
            row_sum = float(np.maximum(positive, negative).max())
        else:
            row_sum = float((positive + negative).max())
        ratio = row_sum / max(float(np.abs(weight).max()), 1e-30)
        budget = _LOG_M - log2(max(ratio, 1.0)) - 0.2
        if self.precision.activation_bits < 15:  # noqa: PLR2004  (a forced width keeps it)
            return self.precision.activation_bits
        return max(8, min(15, round(budget / 2 + 0.25)))

    def softmax_of(self, name: str) -> FloatNode | None:
        """Return the Softmax that a tensor feeds, through layout and nothing else."""
        users = self.consumers.get(name, [])
        if len(users) == 1 and users[0].op == "Softmax" and users[0].inputs[0] == name:
            return users[0]
        return None

    def is_deferred_softmax(self, node: FloatNode) -> bool:
        """Whether `node` is a Softmax whose division moves behind its only matmul."""
        users = self.consumers.get(node.output, [])
        return (
            node.op == "Softmax"
            and not self.is_output(node.output)
            and len(users) == 1
            and users[0].op == "MatMul"
            and users[0].inputs[0] == node.output
            and users[0].inputs[1] != node.output
        )

    def matmul_bits(self, node: FloatNode, name: str) -> int:
        """Return the magnitude bits for an operand of a product of two activations."""
        producer = self.producer(node.inputs[0])
        inner = self.graph.shapes[node.inputs[0]][-1]
        if producer is not None and self.is_deferred_softmax(producer):
            if name == node.inputs[0]:
                return 15
            width = floor((_LOG_P - log2(inner)) / 2)  # 2^width * inner * E <= p
            return min(self.precision.activation_bits, width - 1)
        if self.softmax_of(node.output) is not None:
            total = _LOG_P - 2.0 - log2(inner)  # spread of the scores plus the table: 4 H <= p
        else:
            total = _LOG_M - log2(inner)
        return min(self.precision.activation_bits, floor(total / 2))

    def producer(self, name: str) -> FloatNode | None:
        """Return the node that defines a tensor; None for inputs."""
        return self._producers.get(name)

    # ---- emitting --------------------------------------------------------------------------

    def table(
        self,
        value: Value,
        function: ex.Expression,
        *,
        name: str,
        bits: int,
        reach: float,
        piecewise_linear: bool,
    ) -> Value:
        """Apply a function of one variable through an S-LUT and return a narrow value.

        The result has at most `bits` magnitude bits and covers `reach`.
        """
        tensor = self.tensor(value)
        low, high = tensor.range
        if value.gain != 1:
            function = ex.compose(function, ex.scaled(value.gain))
        out_exponent = self.fit_exponent(reach, bits)
        extra = 0 if piecewise_linear else 2
        shift = max(0, min(16, value.exponent - out_exponent - extra))
        rows_cap = 1 << self.precision.table_bits
        while True:
            first, last = modulus.shift_round(low, shift), modulus.shift_round(high, shift)
            if last - first < rows_cap and (last - first + 1) << shift <= modulus.P:
                break
            shift += 1
            if shift > 16:  # noqa: PLR2004
                msg = f"{name}: range [{low}, {high}] does not fit a table"
                raise CompileError(msg)
        index_exponent = value.exponent - shift
        if function.is_identity() or function.is_relu() or function.is_clip() is not None:
            # A slope of at most one: an output step below the index step would say nothing.
            out_exponent = min(out_exponent, index_exponent)
        elif piecewise_linear:
            out_exponent = min(out_exponent, index_exponent + 1)
        clamp = (-(1 << bits), (1 << bits) - 1)
        if self.is_small:
            # Tables are not shared, so a tight clamp costs nothing and leaves the next weight room.
            most = ceil(reach * 2.0**out_exponent)
            clamp = (max(clamp[0], -most), min(clamp[1], most))
        if (
            function.is_identity()
            and index_exponent == out_exponent
            and shift > 0
            and clamp[0] <= first
            and last <= clamp[1]
        ):
            emitted = self.builder.emit(
                "shift", [value.tensor], tensor.shape, (first, last), shift=shift, source=name
            )
            return Value(tensor=emitted, exponent=out_exponent)
        group, bounds = self.pool.add_site(
            function,
            indices=(first, last),
            shift=shift,
            index_exponent=index_exponent,
            output_exponent=out_exponent,
            clamp=clamp,
        )
        emitted = self.builder.emit(
            "table", [value.tensor], tensor.shape, bounds, shift=shift, first=0, round=1, source=name
        )  # fmt: skip
        group.sites.append(self.builder.nodes[-1])
        return Value(tensor=emitted, exponent=out_exponent)

    def fit_exponent(self, reach: float, bits: int) -> int:
        """Return the finest exponent at which `reach` fits `bits` magnitude bits."""
        return max(-40, min(60, floor(bits - log2(max(reach, 1e-12)) + 1e-9)))

    def inner_reach(self, name: str, value: Value) -> float:
        """Return the magnitude that a requantised tensor has to cover."""
        low, high = self.tensor(value).range
        worst = float(max(abs(low), abs(high)) * abs(value.gain)) * 2.0**-value.exponent
        return min(self.reach(name) * self.precision.inner_margin, max(worst, 1e-12))

    def narrow(self, name: str, bits: int) -> Value:
        """Return the named tensor as an operand with at most `bits` magnitude bits."""
        value = self.emitted(name)
        low, high = self.tensor(value).range
        if -(1 << bits) <= low and high <= (1 << bits) - 1 and self.tensor(value).is_narrow:
            return value
        key = (value.tensor, bits)
        if key not in self._narrowed:
            # The gain stays outside: requantisation does not see it.
            bare = replace(value, gain=Fraction(1))
            reach = self.inner_reach(name, value) / float(abs(value.gain))
            result = self.table(
                bare, ex.identity(), name=name, bits=bits, reach=reach, piecewise_linear=True
            )
            self._narrowed[key] = replace(result, gain=value.gain)
        return self._narrowed[key]

    def settled(self, name: str) -> Value:
        """Return the named tensor with gain 1 and no waiting affine map."""
        value = self.emitted(name)
        if value.gain == 1:
            return value
        numerator, denominator = value.gain.numerator, value.gain.denominator
        if numerator == 1 and denominator & (denominator - 1) == 0:
            return replace(
                value, gain=Fraction(1), exponent=value.exponent + denominator.bit_length() - 1
            )
        key = (value.tensor, value.gain)
        if key not in self._settled:
            self._settled[key] = self.table(
                value,
                ex.identity(),
                name=name,
                bits=15,
                reach=self.inner_reach(name, value),
                piecewise_linear=False,
            )
        return self._settled[key]

    def emitted(self, name: str) -> Value:
        """Return the named tensor with any waiting affine map emitted."""
        value = self.values[name]
        if value.factor is None or value.offset is None:
            return value
        exponent = self.affine_exponent(value, limit=modulus.M)
        tensor = self.emit_affine(value, exponent, name)
        result = Value(tensor=tensor, exponent=exponent)
        self.values[name] = result
        return result

    def affine_exponent(self, value: Value, *, limit: int) -> int:
        """Return the finest exponent at which a waiting affine map stays within `limit`."""
        exponent = value.exponent + 14
        while self.affine_range(value, exponent)[1] > limit:
            exponent -= 1
        return exponent

    def affine_integers(
        self, value: Value, exponent: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return gain and offset of a waiting affine map at `exponent`."""
        assert value.factor is not None  # noqa: S101  (callers hold a waiting map)
        assert value.offset is not None  # noqa: S101
        scale = 2.0 ** (exponent - value.exponent)
        gain = np.floor(value.factor * float(value.gain) * scale + 0.5)
        offset = np.floor(value.offset * 2.0**exponent + 0.5)
        return gain.astype(np.int64), offset.astype(np.int64)

    def affine_range(self, value: Value, exponent: int) -> tuple[Range, int]:
        """Return the range of a waiting affine map at `exponent`, and its magnitude."""
        gain, offset = self.affine_integers(value, exponent)
        low, high = self.tensor(value).range
        ends = [gain * low + offset, gain * high + offset]
        least = int(min(ends[0].min(), ends[1].min()))
        greatest = int(max(ends[0].max(), ends[1].max()))
        return (least, greatest), max(abs(least), abs(greatest))

    def emit_affine(self, value: Value, exponent: int, name: str) -> int:
        """Emit a waiting affine map at `exponent`."""
        gain, offset = self.affine_integers(value, exponent)
        bounds, _ = self.affine_range(value, exponent)
        consts = [
            self.builder.add_const(gain, "weight"),
            self.builder.add_const(offset, "weight"),
        ]
        return self.builder.emit(
            "affine", [value.tensor], self.tensor(value).shape, bounds, consts=consts, source=name
        )
