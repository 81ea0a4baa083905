"""The compile report: ranges, widths, tables, and accuracy against the float model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.calibrate import chunks
from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.progress import stage
from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from veridical.compiler.builder import ProgramBuilder
    from veridical.compiler.calibrate import Spread
    from veridical.compiler.ir import FloatGraph
    from veridical.compiler.lower import Lowering
    from veridical.program import Program


_ENCODED_SAMPLES = 256
_TRACED_SAMPLES = 8
"""Samples whose inner tensors are compared; outputs are compared on all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Integer program against float64, over all elements of all samples."""

    max_error: float
    mean_error: float
    cosine: float
    """Mean over samples of the cosine of the flattened tensors."""
    min_cosine: float
    reach: float
    """Greatest magnitude of the float values: what the errors are to be compared with."""
    top1: float | None = None
    """Share of rows with the same argmax; None for tensors without rows of at least two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """How many input elements a declared range clamps."""

    clamped: int
    elements: int

    @property
    def share(self) -> float:
        """Clamped elements over all."""
        return self.clamped / max(self.elements, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One node of the program."""

    index: int
    op: str
    source: str
    shape: tuple[int, ...]
    low: int
    high: int
    bits: int
    """Bits of a signed integer that holds the declared range."""
    weight_bits: int | None = None
    table: int | None = None
    """Number of the table; layers with the same number share one."""
    table_rows: int | None = None
    real_range: tuple[float, float] | None = None
    """The declared range in units of the float model; None inside the lowering of one operator."""
    seen_range: tuple[float, float] | None = None
    """What calibration saw of the float tensor."""
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileReport:
    """What a compilation chose and how close the result is to the float model."""

    digest: str
    source_sha256: str
    precision: str
    samples: int
    """Samples that the accuracy figures come from."""
    calibration_samples: int
    outside: dict[str, Outside] = field(default_factory=dict)
    """Input elements outside the declared ranges: of all calibration, and of all test samples."""
    layers: list[Layer] = field(default_factory=list)
    outputs: dict[str, Agreement] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    num_tables: int = 0
    table_rows: int = 0
    weight_elements: int = 0
    notes: list[str] = field(default_factory=list)

    def to_value(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(self.to_value(), indent=1, sort_keys=True)

    def save(self, path: Path) -> None:
        """Write the report beside the program.

        Raises:
            InputError: the file cannot be written.
        """
        try:
            path.write_text(self.to_json() + "\n")
        except OSError as error:
            raise InputError(f"cannot write the report: {error.strerror}", str(path)) from error


def count_outside(program: Program, samples: dict[str, NDArray[np.generic]]) -> Outside:
    """Count the input elements of all samples that the declared ranges clamp."""
    clamped = elements = 0
    count = len(next(iter(samples.values())))
    for start in range(0, count, _ENCODED_SAMPLES):
        part = {name: array[start : start + _ENCODED_SAMPLES] for name, array in samples.items()}
        encoded, changed = program.encode(part)
        clamped += changed
        elements += sum(array.size for array in encoded.values())
    return Outside(clamped=clamped, elements=elements)


@dataclass(slots=True)
class _Tally:
    """Running comparison of one tensor."""

    max_error: float = 0.0
    total: float = 0.0
    count: int = 0
    reach: float = 0.0
    cosines: list[float] = field(default_factory=list)
    rows: int = 0
    same: int = 0

    def add(self, measured: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
        """Add a batch: shape (B, ...)."""
        error = np.abs(measured - expected)
        self.max_error = max(self.max_error, float(error.max()))
        self.total += float(error.sum())
        self.count += error.size
        self.reach = max(self.reach, float(np.abs(expected).max()))
        left, right = (array.reshape(len(array), -1) for array in (measured, expected))
        dots = np.einsum("ij,ij->i", left, right)
        norms = np.sqrt(np.einsum("ij,ij->i", left, left) * np.einsum("ij,ij->i", right, right))
        equal = (left == right).all(axis=1)
        cosines = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0)
        self.cosines += np.where(equal, 1.0, cosines).tolist()
        if measured.ndim > 1 and measured.shape[-1] > 1:
            agree = measured.argmax(axis=-1) == expected.argmax(axis=-1)
            self.rows += agree.size
            self.same += int(agree.sum())

    def finish(self) -> Agreement:
        return Agreement(
            max_error=self.max_error,
            mean_error=self.total / max(self.count, 1),
            cosine=float(np.mean(self.cosines)),
            min_cosine=float(np.min(self.cosines)),
            reach=self.reach,
            top1=self.same / self.rows if self.rows else None,
        )


def measure(
    program: Program,
    graph: FloatGraph,
    low: Lowering,
    ids: dict[int, int],
    samples: dict[str, NDArray[np.generic]],
    *,
    known: Mapping[str, NDArray[np.float64]],
    progress: bool = True,
) -> tuple[dict[int, Agreement], dict[str, Agreement]]:
    """Run both models on the samples; return the agreement per tensor and per output.

    `known` are float outputs of these samples by tensor name, as far as somebody has them.
    """
    evaluator = FloatEvaluator(graph)
    executor = program.executor()
    tallies: dict[int, _Tally] = {}
    outputs: dict[str, _Tally] = {public: _Tally() for public, _ in graph.outputs}
    values = float_tensors(low, ids)
    traced = {name for name, _ in values.values()}
    seen = 0
    count = len(next(iter(samples.values())))
    with stage("measuring", count, enabled=progress) as advance:
        for part in chunks(graph, samples, most=_TRACED_SAMPLES):
            size = len(next(iter(part.values())))
            encoded = program.encode(part).tensors
            if seen < _TRACED_SAMPLES:
                expected = evaluator.run(part, keep=traced)
                trace = executor.trace(encoded)
                for tensor, (name, scale) in values.items():
                    if name in expected:
                        reals = trace.tensor(tensor).astype(np.float64) * scale
                        reference = np.asarray(expected[name], np.float64).reshape(reals.shape)
                        tallies.setdefault(tensor, _Tally()).add(reals, reference)
            elif known:
                expected = {name: array[seen : seen + size] for name, array in known.items()}
            else:
                expected = evaluator.run(part, keep=set())
            results = program.decode(executor.run(encoded))
            for public, name in graph.outputs:
                real = results[public]
                reference = np.asarray(expected[name], np.float64).reshape(real.shape)
                outputs[public].add(real, reference)
            seen += size
            advance(size)
    return (
        {tensor: tally.finish() for tensor, tally in tallies.items()},
        {name: tally.finish() for name, tally in outputs.items()},
    )


def float_tensors(low: Lowering, ids: dict[int, int]) -> dict[int, tuple[str, float]]:
    """Return the float tensor and the step of every program tensor that stands for one."""
    return {
        ids[value.tensor]: (name, float(value.gain) * 2.0**-value.exponent)
        for name, value in low.values.items()
        if value.factor is None and value.tensor in ids
    }


def layers(
    builder: ProgramBuilder,
    agreements: dict[int, Agreement],
    steps: dict[int, tuple[str, float]],
    calibrated: dict[str, Spread],
) -> list[Layer]:
    """Describe every node of a program."""
    result = []
    for index, node in enumerate(builder.nodes):
        tensor_id = len(builder.inputs) + index
        tensor = builder.tensors[tensor_id]
        low, high = tensor.range
        weight_bits = table = table_rows = real = seen = None
        if node["op"] in ("linear", "conv", "gather"):
            weight = builder.consts[node["c"][0]]
            weight_bits = int(np.abs(weight.astype(np.int64)).max()).bit_length() + 1
        if node["op"] in ("table", "softmax_numerator"):
            table = node["c"][0]
            table_rows = len(builder.consts[table])
        if tensor_id in steps:
            name, step = steps[tensor_id]
            real = (min(low * step, high * step), max(low * step, high * step))
            seen = (calibrated[name].low, calibrated[name].high)
        result.append(
            Layer(
                index=index,
                op=node["op"],
                source=builder.sources[tensor_id],
                shape=tensor.shape,
                low=low,
                high=high,
                bits=max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1,
                weight_bits=weight_bits,
                table=table,
                table_rows=table_rows,
                real_range=real,
                seen_range=seen,
                agreement=agreements.get(tensor_id),
            )
        )
    return result
