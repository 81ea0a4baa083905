"""Calibration: least and greatest value of every tensor over real samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.progress import stage
from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from veridical.compiler.ir import FloatGraph

Samples: TypeAlias = "Mapping[str, NDArray[np.generic]] | NDArray[np.generic]"

_FLOAT32_EPSILON = 2.0**-24
_CHUNK_ELEMENTS = 2**22
"""Elements of the largest tensor in one pass: bounds memory; smaller ones leave BLAS idle."""
_SAME_VALUES = frozenset({"Expand", "Reshape", "Transpose"})
_SIGNIFICANT_BITS = 14
"""Bits of a calibrated range: far above what BLAS and processors let float64 results differ by."""


def as_mapping(graph: FloatGraph, samples: Samples) -> dict[str, NDArray[np.generic]]:
    """Return samples by input name, each with the sample axis first.

    Shape: (samples, *item shape), where a leading axis of size 1 of the model input is the
    sample axis.

    Raises:
        InputError: a name or shape does not match, counts differ, there is no sample, or a value
            is not finite.
    """
    if isinstance(samples, np.ndarray):
        if len(graph.inputs) != 1:
            names = ", ".join(entry.name for entry in graph.inputs)
            msg = f"the model has several inputs ({names}): give samples as a mapping"
            raise InputError(msg)
        samples = {graph.inputs[0].name: samples}
    expected = {entry.name for entry in graph.inputs}
    if set(samples) != expected:
        msg = f"samples name {sorted(samples)}, the model's inputs are {sorted(expected)}"
        raise InputError(msg)
    result, counts = {}, set()
    for entry in graph.inputs:
        array = np.asarray(samples[entry.name])
        item = entry.shape[1:] if len(entry.shape) > 1 and entry.shape[0] == 1 else entry.shape
        if array.shape[1:] != item or array.shape[:1] == (0,):
            wanted = ", ".join(["n", *map(str, item)])
            name = entry.name
            msg = f"samples of {name!r} have shape {array.shape}, expected ({wanted}) with n > 0"
            raise InputError(msg)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            msg = f"samples of {entry.name!r} contain NaN or infinity"
            raise InputError(msg)
        counts.add(array.shape[0])
        result[entry.name] = array
    if len(counts) != 1:
        msg = f"inputs have different sample counts: {sorted(counts)}"
        raise InputError(msg)
    return result


def chunks(
    graph: FloatGraph, samples: dict[str, NDArray[np.generic]], *, most: int = 64
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Split samples so that one pass stays small: at most `most` samples."""
    largest = max(int(np.prod(shape)) for shape in graph.shapes.values())
    size = max(1, min(most, _CHUNK_ELEMENTS // max(largest, 1)))
    count = len(next(iter(samples.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in samples.items()}


@dataclass(frozen=True, slots=True)
class Spread:
    """What calibration saw of one tensor."""

    low: float
    high: float
    rms: float
    """Root mean square."""
    noise: float = 0.0
    """Magnitude below which values are rounding errors of the float model (a sum that cancels)."""

    @property
    def reach(self) -> float:
        """Greatest magnitude; what is always zero counts as one, so that its step is ordinary."""
        return max(-self.low, self.high, self.noise) or 1.0

    @property
    def crest(self) -> float:
        """Greatest magnitude over root mean square: how much of the range is rarely used."""
        return self.reach / max(self.rms, self.reach * 1e-6)


def calibrate(
    graph: FloatGraph,
    samples: dict[str, NDArray[np.generic]],
    *,
    outputs: dict[str, list[NDArray[np.float64]]] | None = None,
    progress: bool = True,
) -> dict[str, Spread]:
    """Run the float graph on every sample and return the spread of each tensor.

    `outputs` collects the outputs by tensor name, so that nobody has to compute them again.
    """
    published = {tensor for _, tensor in graph.outputs}
    evaluator = FloatEvaluator(graph)
    ranges: dict[str, tuple[float, float]] = {}
    squares: dict[str, float] = {}
    sizes: dict[str, int] = {}
    count = len(next(iter(samples.values())))
    moved = {node.output: node.inputs[0] for node in graph.nodes if node.op in _SAME_VALUES}
    with stage("calibrating", count, enabled=progress) as advance:
        for part in chunks(graph, samples):
            for name, array in evaluator.steps(part):
                if outputs is not None and name in published:
                    outputs.setdefault(name, []).append(array)
                if name in moved:
                    continue
                finite = array
                low, high = float(array.min()), float(array.max())
                if not (math.isfinite(low) and math.isfinite(high)):
                    finite = array[np.isfinite(array)]
                    if finite.size == 0:
                        continue
                    low, high = float(finite.min()), float(finite.max())
                if name in ranges:
                    low, high = min(low, ranges[name][0]), max(high, ranges[name][1])
                ranges[name] = (low, high)
                flat = finite.reshape(-1).astype(np.float64, copy=False)
                squares[name] = squares.get(name, 0.0) + float(np.dot(flat, flat))
                sizes[name] = sizes.get(name, 0) + flat.size
            advance(len(next(iter(part.values()))))
    noise = _noise(graph, ranges)
    given = {entry.name for entry in graph.inputs}
    found: dict[str, Spread] = {}
    for name in [*given, *(node.output for node in graph.nodes)]:
        source = moved.get(name, name)
        if source in found:
            found[name] = found[source]
        elif source not in ranges:
            found[name] = Spread(0.0, 0.0, 0.0)
        else:
            low, high = ranges[name]
            if name not in given:
                low, high = -_outward(-low), _outward(high)
            rms = _outward((squares[name] / sizes[name]) ** 0.5)
            found[name] = Spread(low, high, rms, _outward(noise.get(name, 0.0)))
    return found


def _outward(value: float) -> float:
    """Round up to few significant bits: other machines, which sum in other orders, agree then."""
    if not math.isfinite(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * 2**_SIGNIFICANT_BITS), exponent - _SIGNIFICANT_BITS)


def _noise(graph: FloatGraph, ranges: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return the rounding error of every sum: its terms are float32 in the model."""
    noise = {}
    for node in graph.nodes:
        if node.op == "Add":
            terms = zip(node.attrs["coeff"], node.inputs, strict=True)
            reach = max(
                abs(coefficient) * max(map(abs, ranges.get(name, (0.0, 0.0))))
                for coefficient, name in terms
            )
            noise[node.output] = reach * _FLOAT32_EPSILON
    return noise
