"""State of a lowering: values, widths, and requantisation.

A float tensor `t` becomes a `Value`: `real = gain * integer * 2^-exponent`. Steps are powers of
two, so that sums are exact and tables are shared; `gain` is a constant factor that waits for the
next table, weight or decoding to absorb it. An `Affine` whose consumer can absorb it waits too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor, log2
from typing import TYPE_CHECKING, Final

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler.lower.requantise import coarsen, requantise
from veridical.compiler.lower.value import Value
from veridical.compiler.tables import TablePool
from veridical.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.compiler.builder import ProgramBuilder, Tensor
    from veridical.compiler.calibrate import Spread
    from veridical.compiler.ir import FloatGraph, FloatNode
    from veridical.compiler.precision import Precision
    from veridical.compiler.ranges import Range

LAYOUT: Final = frozenset({"Reshape", "Transpose", "Expand", "Concat", "Slice", "Pad"})
_MULTIPLY: Final = frozenset({"Linear", "Conv", "MatMul", "Mul", "WeightedMean"})
_EXPONENT_LIMIT: Final = 80
_SMALL_PRODUCTS: Final = 8
_NUMERATOR_BITS: Final = 10
_LOG_M: Final = log2(modulus.REQUANTISABLE)
_LOG_P: Final = log2(modulus.P)


@dataclass(slots=True)
class Lowering:
    """Everything the lowering functions share."""

    graph: FloatGraph
    builder: ProgramBuilder
    precision: Precision
    calibrated: dict[str, Spread]
    """What calibration saw of every float tensor."""
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

    @property
    def margin(self) -> float:
        """Room of inner tensors over the calibrated range before they saturate."""
        return self.precision.inner_margin if self.is_small else self.precision.deep_margin

    # ---- facts -----------------------------------------------------------------------------

    def tensor(self, value: Value) -> Tensor:
        """Return the program tensor of a value."""
        return self.builder.tensors[value.tensor]

    def reach(self, name: str) -> float:
        """Return the greatest magnitude seen in calibration (never zero)."""
        return self.calibrated[name].reach

    def real_reach(self, name: str) -> float | None:
        """Return the worst-case magnitude of a tensor in real units; None if not lowered yet."""
        value = self.values.get(name)
        if value is None:
            return None
        if value.factor is not None:
            exponent = self.affine_exponent(value)
            return self.affine_range(value, exponent)[1] * 2.0**-exponent
        low, high = self.tensor(value).range
        return float(max(-low, high) * abs(value.gain)) * 2.0**-value.exponent

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
        spread = self.calibrated[name]
        positive = np.maximum(weight, 0).sum(axis=1)
        negative = np.maximum(-weight, 0).sum(axis=1)
        if spread.low >= 0 or spread.high <= 0:
            row_sum = float(np.maximum(positive, negative).max())
        else:
            row_sum = float((positive + negative).max())
        ratio = row_sum / max(float(np.abs(weight).max()), 1e-30)
        budget = _LOG_M - log2(max(ratio, 1.0)) - 0.2
        if self.precision.activation_bits < 15:  # noqa: PLR2004  (a forced width keeps it)
            return self.precision.activation_bits
        reach = max(float(np.abs(weight).max()), 1e-30)
        crest = reach / max(float(np.sqrt(np.mean(weight**2))), reach * 1e-6)
        tilt = (log2(spread.crest) - log2(crest)) / 2
        return max(8, min(15, round(budget / 2 + tilt + 0.25)))

    def final_consumers(self, name: str) -> list[FloatNode]:
        """Return what a tensor feeds, looking through layout ops."""
        found = []
        for node in self.consumers.get(name, []):
            found += self.final_consumers(node.output) if node.op in LAYOUT else [node]
        return found

    def wants_narrow(self, name: str) -> bool:
        """Whether a consumer multiplies the tensor."""
        return any(node.op in _MULTIPLY for node in self.final_consumers(name))

    def sum_limit(self, node: FloatNode) -> int:
        """Return the bound of a sum: what a later sum may have to shift stays below half."""
        users = self.final_consumers(node.output)
        again = any(user.op in ("Add", "MaxPool") for user in users)
        return modulus.SHIFTABLE if again else modulus.REQUANTISABLE

    def is_free(self, name: str) -> bool:
        """Whether the step of a tensor need not be a power of two: weights absorb any factor."""
        users = self.final_consumers(name)
        products = all(node.op in ("Linear", "Conv") for node in users)
        return self.is_small and bool(users) and products and not self.is_output(name)

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
            # 2^width * inner * E <= p: ten bits of the numerator E are enough, the rest goes to
            # the values, whose step is also that of the result.
            room = _LOG_P - log2(inner)
            width = round(room - max(_NUMERATOR_BITS, room / 2 - 2))
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

    def fit_exponent(self, reach: float, bits: int) -> int:
        """Return the finest exponent at which `reach` fits `bits` magnitude bits."""
        if reach <= 0.0:
            return bits
        if reach > 2.0 ** (bits + _EXPONENT_LIMIT):
            raise CompileError(
                f"values of magnitude {reach:.3g} are beyond what steps can name",
                check="range",
                advice="Scale the model or its inputs: ordinary values are near 1.",
            )
        return max(-_EXPONENT_LIMIT, min(_EXPONENT_LIMIT, floor(bits - log2(reach) + 1e-9)))

    def inner_reach(self, name: str, value: Value) -> float:
        """Return the magnitude that a requantised tensor has to cover."""
        low, high = self.tensor(value).range
        worst = float(max(abs(low), abs(high)) * abs(value.gain)) * 2.0**-value.exponent
        seen = self.reach(name) * self.margin
        return min(seen, worst) if worst > 0.0 else seen

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
            result = requantise(
                self, name, bare, ex.identity(), bits=bits, reach=reach, gain=value.gain
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
            self._settled[key] = requantise(
                self, name, value, ex.identity(), bits=15, reach=self.inner_reach(name, value)
            )
        return self._settled[key]

    def emitted(self, name: str) -> Value:
        """Return the named tensor with any waiting affine map emitted."""
        value = self.values[name]
        if value.factor is None or value.offset is None:
            return value
        slope = value.slope
        if slope is None:
            exponent = self.affine_exponent(value)
            tensor = self.emit_affine(value, exponent, name)
            result = Value(tensor=tensor, exponent=exponent)
        else:
            result = self._emit_offset(value, slope, name)
        self.values[name] = result
        return result

    def _emit_offset(self, value: Value, slope: Fraction, name: str) -> Value:
        """Emit `x + offset / slope` at the finest step that every op can take; `slope` waits."""
        assert value.offset is not None  # noqa: S101  (the caller saw it)
        gain = value.gain * slope
        bare = value.offset / float(gain)
        base = replace(value, gain=gain, factor=None, offset=None)
        low, high = self.tensor(base).range
        finer = min(14, 30 - max(1, -low, high).bit_length())
        while True:
            offset = np.floor(bare * 2.0 ** (base.exponent + finer) + 0.5)
            ends = [math.ldexp(end, finer) for end in (low, high)]
            if max(ends[1] + offset.max(), -ends[0] - offset.min()) <= modulus.ROOMY - 1:
                break
            finer -= 1
        if finer < 0:
            base = coarsen(self, name, base, -finer)
            offset = np.floor(bare * 2.0**base.exponent + 0.5)
        whole, factor = offset.astype(np.int64), 1 << max(0, finer)
        low, high = (end * factor for end in self.tensor(base).range)
        bounds = (low + int(whole.min()), high + int(whole.max()))
        shape = self.tensor(base).shape
        consts = [
            self.builder.add_const(np.full((1,) * len(shape), factor, np.int64), "weight"),
            self.builder.add_const(whole, "weight"),
        ]
        tensor = self.builder.emit(
            "affine", [base.tensor], shape, bounds, consts=consts, source=name
        )
        return replace(base, tensor=tensor, exponent=base.exponent + max(0, finer))

    def affine_exponent(self, value: Value) -> int:
        """Return the finest exponent at which every op can take a waiting affine map."""
        assert value.factor is not None  # noqa: S101  (callers hold a waiting map)
        assert value.offset is not None  # noqa: S101
        low, high = self.tensor(value).range
        slope = float(np.abs(value.factor).max() * abs(value.gain)) * 2.0**-value.exponent
        reach = slope * max(-low, high) + float(np.abs(value.offset).max())
        exponent = min(value.exponent + 14, self.fit_exponent(reach, 30))
        while self.affine_range(value, exponent)[1] > modulus.ROOMY:
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
        # Beyond these nothing fits the modulus, and int64 would wrap before a range could say so.
        gain, offset = np.clip(gain, -(2.0**31), 2.0**31), np.clip(offset, -(2.0**40), 2.0**40)
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
