"""Calibration: least and greatest value of every tensor over real samples."""

from __future__ import annotations

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

_CHUNK_ELEMENTS = 2**22
"""Elements of the largest tensor in one pass: bounds the memory of a pass to a few hundred MB."""


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
            msg = (
                f"samples of {entry.name!r} have shape {array.shape}, expected (n, *{item}), n > 0"
            )
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
    graph: FloatGraph, samples: dict[str, NDArray[np.generic]]
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Split samples so that one pass stays small."""
    largest = max(int(np.prod(shape)) for shape in graph.shapes.values())
    size = max(1, min(64, _CHUNK_ELEMENTS // max(largest, 1)))
    count = len(next(iter(samples.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in samples.items()}


def calibrate(
    graph: FloatGraph, samples: dict[str, NDArray[np.generic]], *, progress: bool = True
) -> dict[str, tuple[float, float]]:
    """Run the float graph on every sample and return the range of each tensor."""
    evaluator = FloatEvaluator(graph)
    ranges: dict[str, tuple[float, float]] = {}
    count = len(next(iter(samples.values())))
    with stage("calibrating", count, enabled=progress) as advance:
        for part in chunks(graph, samples):
            for name, array in evaluator.run(part).items():
                finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
                if finite.size == 0:
                    continue
                low, high = float(finite.min()), float(finite.max())
                if name in ranges:
                    low, high = min(low, ranges[name][0]), max(high, ranges[name][1])
                ranges[name] = (low, high)
            advance(len(next(iter(part.values()))))
    for name in graph.shapes:
        ranges.setdefault(name, (0.0, 0.0))
    return ranges
