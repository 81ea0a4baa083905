"""From an ONNX file to an integer program: load, calibrate, lower, check, measure."""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import calibrate as calibration_module
from veridical.compiler import frontend, report, rewrite
from veridical.compiler.calibrate import Samples, as_mapping
from veridical.compiler.lower import lower
from veridical.compiler.precision import parse
from veridical.errors import CompileError, InputError
from veridical.program import Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from veridical.compiler.builder import Tensor
    from veridical.compiler.ir import FloatGraph
    from veridical.compiler.report import CompileReport

_MEASURED_SAMPLES = 64
_MEASURED_ELEMENTS = 2**28
"""Elements of all tensors of all measured samples: large models are measured on fewer."""
_LEAST_MEASURED = 16
_FRONTEND_SAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A program and the report of how it came about."""

    program: Program
    report: CompileReport


def compile_model(
    model: str | Path,
    *,
    calibration: Samples,
    test: Samples | None = None,
    precision: str = "auto",
    dims: Mapping[str, int] | None = None,
    input_ranges: Mapping[str, tuple[float, float]] | None = None,
    closed: bool = False,
    progress: bool = True,
) -> Compiled:
    """Compile an ONNX model into the canonical integer program and measure it.

    Args:
        model: path of the ONNX file.
        calibration: representative inputs; (samples, *item shape) or a mapping by input name.
        test: inputs for the accuracy figures; the calibration samples where it is not given.
        precision: `auto`, `int8` or `int16`.
        dims: sizes for symbolic dimensions by name; batch dimensions default to 1.
        input_ranges: declared range per input in place of the calibrated one.
        closed: salt the weight leaves, so that a published weight root reveals nothing.
        progress: show bars on a terminal.

    Raises:
        InputError: samples do not fit the model, or an argument is wrong.
        CompileError: the model is malformed, or a layer breaks the no-wrap rule.
        UnsupportedOpError: a node has no integer form; names node, op and reason.
    """
    settings = parse(precision)
    path = Path(model)
    ranges = dict(input_ranges or {})
    _check_ranges(ranges)
    imported = frontend.import_model(
        path,
        dims=dims,
        hints=_sizes_of(calibration),
        integer_ranges=_integer_ranges(calibration, ranges),
    )
    graph = imported.graph
    for name in ranges:
        if name not in {entry.name for entry in graph.inputs}:
            names = ", ".join(entry.name for entry in graph.inputs)
            raise InputError(f"input range of {name!r}, the model's inputs are {names}", name)
    samples = as_mapping(graph, calibration)
    first = {name: array[:_FRONTEND_SAMPLES] for name, array in samples.items()}
    deviations = frontend.check_against_onnxruntime(graph, imported.model, first)
    rewrite.pool_before_activation(graph)
    known: dict[str, list[NDArray[np.float64]]] = {}
    calibrated = calibration_module.calibrate(
        graph, samples, outputs=known if test is None else None, progress=progress
    )
    low = lower(graph, calibrated, settings, ranges)
    builder, ids = low.builder.pruned()
    source = hashlib.sha256(imported.source).hexdigest()
    program = Program.build(
        builder.graph_json(salted=closed),
        builder.consts,
        salt=secrets.token_bytes(32) if closed else None,
        aliases={"onnx": f"sha256:{source}"},
    )
    chosen = samples if test is None else as_mapping(graph, test)
    outside = {"calibration": report.count_outside(program, samples)}
    if test is not None:
        outside["test"] = report.count_outside(program, chosen)
    measured = _num_measured(graph)
    chosen = {name: array[:measured] for name, array in chosen.items()}
    agreements, outputs = report.measure(
        program, graph, low, ids, chosen,
        known={name: np.concatenate(parts) for name, parts in known.items()},
        progress=progress,
    )  # fmt: skip
    _check_accuracy(graph, outputs)
    tables = [c for c, info in zip(builder.consts, builder.const_info, strict=True)
              if info["kind"] == "table"]  # fmt: skip
    weights = [c for c, info in zip(builder.consts, builder.const_info, strict=True)
               if info["kind"] == "weight"]  # fmt: skip
    result = report.CompileReport(
        digest=program.digest_hex,
        source_sha256=source,
        precision=precision,
        samples=len(next(iter(chosen.values()))),
        calibration_samples=len(next(iter(samples.values()))),
        outside=outside,
        layers=report.layers(builder, agreements, report.float_tensors(low, ids), calibrated),
        outputs=outputs,
        inputs=_describe_inputs(graph, builder.inputs, builder.tensors),
        num_tables=len(tables),
        table_rows=sum(len(table) for table in tables),
        weight_elements=sum(weight.size for weight in weights),
        notes=[str(deviation) for deviation in deviations],
    )
    return Compiled(program=program, report=result)


def compile(  # noqa: A001  (the public verb of the package)
    model: str | Path,
    *,
    calibration: Samples,
    precision: str = "auto",
    dims: Mapping[str, int] | None = None,
    input_ranges: Mapping[str, tuple[float, float]] | None = None,
    closed: bool = False,
    progress: bool = True,
) -> Program:
    """Compile an ONNX model; like `compile_model`, without the report."""
    return compile_model(
        model,
        calibration=calibration,
        precision=precision,
        dims=dims,
        input_ranges=input_ranges,
        closed=closed,
        progress=progress,
    ).program


def _check_ranges(ranges: Mapping[str, tuple[float, float]]) -> None:
    for name, (low, high) in ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(
                f"input range {low!r} .. {high!r} of {name!r}",
                where=name,
                advice="Give two finite numbers, the lower one first.",
            )


def _num_measured(graph: FloatGraph) -> int:
    """Return how many samples the accuracy figures are taken from, at most."""
    size = sum(math.prod(shape) for shape in graph.shapes.values())
    return max(_LEAST_MEASURED, min(_MEASURED_SAMPLES, _MEASURED_ELEMENTS // max(size, 1)))


def _check_accuracy(graph: FloatGraph, outputs: Mapping[str, report.Agreement]) -> None:
    """Refuse a program that has nothing to do with its model.

    Raises:
        CompileError: an output is off by half its magnitude and points elsewhere.
    """
    tensors = dict(graph.outputs)
    for name, figures in outputs.items():
        is_lost = figures.max_error > 0.5 * figures.reach and figures.cosine < 0.5  # noqa: PLR2004
        if tensors[name] not in graph.integers and is_lost:
            raise CompileError(
                f"output {name!r} of the integer program has nothing to do with the model: error "
                f"{figures.max_error:.3g} of {figures.reach:.3g}, cosine {figures.cosine:.2f}",
                where=name,
                check="accuracy",
                advice="Bring inputs, weights and outputs near 1, and calibrate on samples like "
                "those that will be asked.",
            )


def _sizes_of(samples: Samples) -> dict[str, int]:
    """Return the item dimensions that samples by name show, for axes that the model leaves open."""
    if isinstance(samples, np.ndarray):
        return {}
    return {
        f"{name}[{axis}]": size
        for name, array in samples.items()
        for axis, size in enumerate(np.shape(array))
        if axis > 0
    }


def _integer_ranges(
    samples: Samples, declared: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[int, int]]:
    """Return the range of every integer sample array: declared, or calibrated and with zero."""
    if isinstance(samples, np.ndarray):
        return {name: (int(r[0]), int(r[1])) for name, r in declared.items()}
    result: dict[str, tuple[int, int]] = {}
    for name, array in samples.items():
        if np.asarray(array).dtype.kind in "iub" and np.asarray(array).size:
            result[name] = (min(0, int(np.min(array))), int(np.max(array)))
        if name in declared:
            result[name] = (int(declared[name][0]), int(declared[name][1]))
    return result


def _describe_inputs(
    graph: FloatGraph, inputs: list[dict[str, Any]], tensors: Sequence[Tensor]
) -> dict[str, dict[str, Any]]:
    described = {}
    for entry, spec, tensor in zip(graph.inputs, inputs, tensors, strict=False):
        low, high = tensor.range
        described[entry.name] = {"shape": list(entry.shape), "low": low, "high": high, **spec}
    return described
