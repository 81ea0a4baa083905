"""The float graph against ONNX Runtime: a wrong rewrite cannot pass unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.frontend.safe_load import read_model
from veridical.errors import CompileError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical.compiler.ir import FloatGraph

#: Largest deviation between float64 and float32 runs of the same model, relative to the largest
#: value of the output.
TOLERANCE = 1e-3
#: Outputs smaller than this come from larger values inside, whose float32 error they inherit.
SMALLEST_SCALE = 1e-3
#: The same for models that round inside (QDQ): a float32 error may move a value by a whole step.
ROUNDING_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far the graph and ONNX Runtime (float32) lie apart on one output."""

    output: str
    max_abs: float
    scale: float
    """Largest magnitude of this output on the samples."""

    @property
    def relative(self) -> float:
        """Largest deviation relative to the largest output, or to `SMALLEST_SCALE` if larger."""
        return self.max_abs / max(self.scale, SMALLEST_SCALE)


def run_onnxruntime(
    model: bytes, samples: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> list[dict[str, NDArray[Any]]]:
    """Run a self-contained model on each sample, one at a time, and return its outputs by name."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        types = {item.name: item.type for item in session.get_inputs()}
        names = [item.name for item in session.get_outputs()]
        results = []
        for i in range(min(len(array) for array in samples.values())):
            feeds = {
                name: samples[name][i].reshape(shapes[name]).astype(_dtype(kind))
                for name, kind in types.items()
            }
            results.append(dict(zip(names, session.run(names, feeds), strict=True)))
    except Exception as error:
        raise CompileError(
            f"ONNX Runtime cannot run the model: {error}", check="agreement with ONNX Runtime"
        ) from error
    return results


_DTYPES: dict[str, str] = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
}


def _dtype(kind: str) -> np.dtype[Any]:
    return np.dtype(_DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")")))


def compare(
    graph: FloatGraph, model: bytes, samples: Mapping[str, NDArray[Any]]
) -> list[Deviation]:
    """Return the deviation of every output over the samples, which have a leading batch axis."""
    shapes = {spec.name: spec.shape for spec in graph.inputs}
    expected = run_onnxruntime(model, samples, shapes)
    count = len(expected)
    stacked = {name: np.asarray(samples[name])[:count].reshape(count, *shape)
               for name, shape in shapes.items()}  # fmt: skip
    evaluator = FloatEvaluator(graph)
    found = [
        evaluator.outputs({name: array[i : i + 1] for name, array in stacked.items()})
        for i in range(count)
    ]
    deviations = []
    for public, _ in graph.outputs:
        theirs = np.stack([np.asarray(run[public], np.float64) for run in expected])
        ours = np.stack([run[public][0] for run in found])
        if theirs.ndim == 1:
            theirs = theirs.reshape(-1, 1)  # rank 0 in the model, one axis in the graph
        if ours.shape != theirs.shape:
            raise CompileError(
                f"output {public!r} has shape {ours.shape[1:]}, ONNX Runtime gives "
                f"{theirs.shape[1:]}",
                where=public,
                check="agreement with ONNX Runtime",
            )
        scale = float(np.abs(theirs).max())
        max_abs = float(np.abs(ours - theirs).max())
        deviations.append(Deviation(output=public, max_abs=max_abs, scale=scale))
    return deviations


def check_against_onnxruntime(
    graph: FloatGraph,
    model: str | os.PathLike[str] | bytes,
    samples: Mapping[str, NDArray[Any]],
    *,
    tolerance: float | None = None,
) -> list[str]:
    """Compare with ONNX Runtime on samples and return one line per output for the report.

    Raises:
        CompileError: an output deviates by more than ``tolerance`` times its largest magnitude.
    """
    content = read_model(model)[0].SerializeToString()
    if tolerance is None:
        tolerance = ROUNDING_TOLERANCE if _rounds(graph) else TOLERANCE
    notes = []
    for deviation in compare(graph, content, samples):
        if not deviation.relative <= tolerance:
            raise CompileError(
                f"output {deviation.output!r} deviates from ONNX Runtime by "
                f"{deviation.max_abs:.3g} (largest value {deviation.scale:.3g}), more than "
                f"{tolerance:g} of it",
                where=deviation.output,
                check="agreement with ONNX Runtime",
                advice="The import misread this model; please report it with the model.",
            )
        notes.append(
            f"output {deviation.output!r} of the float graph is within {deviation.max_abs:.2e} "
            f"of ONNX Runtime (largest value {deviation.scale:.3g})"
        )
    return notes


def _rounds(graph: FloatGraph) -> bool:
    """Say whether the model itself rounds, so that float32 noise can move a value by a step."""
    keys = (node.attrs["fn"].key() for node in graph.nodes if node.op == "Unary")
    return any(step in key for key in keys for step in ("round(", "floor(", "ceil("))
