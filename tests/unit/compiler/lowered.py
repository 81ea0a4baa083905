"""Float graphs written by hand, lowered, accepted by the loader, and run beside float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.calibrate import as_mapping, calibrate
from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.ir import FloatGraph, FloatNode, GraphInput
from veridical.compiler.lower import lower
from veridical.compiler.precision import parse
from veridical.program import Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A program with what it gave on its calibration samples and what float64 gives."""

    program: Program
    nodes: list[dict[str, Any]]
    tensors: list[dict[str, Any]]
    consts: list[NDArray[Any]]
    measured: dict[str, NDArray[np.float64]]
    expected: dict[str, NDArray[np.float64]]

    @property
    def ops(self) -> list[str]:
        """Names of the ops, layout of the batch axis left out."""
        return [node["op"] for node in self.nodes if node["op"] != "reshape"]

    def error(self, name: str = "y") -> float:
        """Largest difference from float64."""
        return float(np.abs(self.measured[name] - self.expected[name]).max())

    @property
    def input_step(self) -> float:
        """Largest step of a real input."""
        return max(2.0**i.shift / i.mul for i in self.program.inputs if i.kind == "real")

    def output_step(self, name: str = "y") -> float:
        """Step of an output."""
        spec = next(spec for spec in self.program.outputs if spec.name == name)
        return spec.mul * 2.0**-spec.shift


def graph(
    nodes: Sequence[FloatNode],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    inputs: Sequence[str] = ("x",),
    integers: Mapping[str, tuple[int, int]] | None = None,
    outputs: Sequence[str] = ("y",),
) -> FloatGraph:
    """Build a graph; shapes of all tensors are given, and ranges of integer inputs."""
    ranges = dict(integers or {})
    entries = [
        GraphInput(
            name=name,
            shape=shapes[name],
            is_integer=name in ranges,
            low=ranges.get(name, (0, 0))[0],
            high=ranges.get(name, (0, 0))[1],
        )
        for name in inputs
    ]
    return FloatGraph(
        inputs=entries,
        outputs=[(name, name) for name in outputs],
        nodes=list(nodes),
        shapes=dict(shapes),
        integers=set(ranges) & set(inputs),
    )


def one(
    op: str, *inputs: str, output: str = "y", params: Mapping[str, Any] | None = None, **attrs: Any
) -> FloatNode:
    """Build a node; parameters become float64."""
    arrays = {name: np.asarray(value, np.float64) for name, value in (params or {}).items()}
    return FloatNode(op=op, inputs=inputs, output=output, params=arrays, attrs=attrs, source=op)


def run(
    float_graph: FloatGraph,
    samples: Mapping[str, NDArray[Any]],
    *,
    precision: str = "auto",
    input_ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Lowered:
    """Calibrate, lower, build, run, and evaluate in float64 on the same samples."""
    given = as_mapping(float_graph, dict(samples))
    calibrated = calibrate(float_graph, given, progress=False)
    low = lower(float_graph, calibrated, parse(precision), input_ranges or {})
    builder, _ = low.builder.pruned()
    program = Program.build(builder.graph_json(), builder.consts)
    encoded = program.encode(given)
    measured = program.decode(program.executor().run(encoded.tensors))
    expected = FloatEvaluator(float_graph).outputs(given)
    return Lowered(
        program=program,
        nodes=builder.nodes,
        tensors=[{"low": t.range[0], "high": t.range[1]} for t in builder.tensors],
        consts=builder.consts,
        measured=dict(measured),
        expected={name: array.reshape(measured[name].shape) for name, array in expected.items()},
    )
