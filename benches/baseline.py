"""ONNX Runtime as the baseline: float32, and the fastest int8 that it offers for a model.

| Candidate       | How                                                                   |
|-----------------|-----------------------------------------------------------------------|
| float32         | the model as it is, all graph optimisations on                        |
| qdq             | static, QuantizeLinear/DequantizeLinear, one scale per weight tensor  |
| qdq_channel     | the same with one scale per output channel                            |
| qoperator       | static, integer operators in the graph                                |
| dynamic         | weights int8, activation scales at run time                           |

Every int8 candidate uses uint8 activations and int8 weights, the pair with a fast kernel on x86
with VNNI. A candidate that ONNX Runtime cannot build or load is left out and named in the result.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from examples.zoo import num_samples, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from examples.zoo import ModelCase, Samples

# The quantiser keeps every activation of every sample; large models would fill the memory.
MAX_CALIBRATION_LARGE = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """One float32 or int8 variant of a model on disk."""

    name: str
    path: Path

    def session(self, threads: int) -> ort.InferenceSession:
        """Open the model with a number of threads."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        return ort.InferenceSession(self.path, options, providers=providers)

    def resident(self, threads: int, feed: Samples) -> Callable[[], list[NDArray[Any]]]:
        """Return a call whose inputs are bound beforehand; it returns the outputs uncopied.

        What Python does for each call of `run` is left out: the least that ONNX Runtime needs.
        """
        session = self.session(threads)
        binding = session.io_binding()
        for name, array in feed.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for output in session.get_outputs():
            binding.bind_output(output.name)

        def call() -> list[NDArray[Any]]:
            session.run_with_iobinding(binding)
            return [value.numpy() for value in binding.get_outputs()]

        return call


def fix_batch(model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]], batch: int) -> None:
    """Set every input's shape, with `batch` as its first axis, and follow it through Reshape.

    A file exported for a batch of one holds Reshape targets that begin with a literal 1; 0 there
    means "as the input". Shapes that the graph computes follow by themselves.
    """
    was_fixed = False
    for value in model.graph.input:
        if value.name not in shapes:
            continue
        dims = value.type.tensor_type.shape.dim
        was_fixed = was_fixed or dims[0].dim_value == 1
        for dim, size in zip(dims, (batch, *shapes[value.name][1:]), strict=True):
            dim.Clear()
            dim.dim_value = size
    for value in model.graph.output:
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        dim.dim_value = batch
    del model.graph.value_info[:]
    if not was_fixed or batch == 1:
        return
    targets = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        shape = numpy_helper.to_array(tensor)
        if tensor.name in targets and len(shape) > 1 and shape[0] == 1:
            kept = np.concatenate([[0], shape[1:]]).astype(np.int64)
            tensor.CopyFrom(numpy_helper.from_array(kept, tensor.name))


def candidates(case: ModelCase, batch: int, folder: Path) -> tuple[list[Candidate], dict[str, str]]:
    """Write float32 and every int8 variant that can be built, for one batch size.

    Returns the variants, and by name the reason for each that ONNX Runtime cannot build or load.
    """
    stem = f"{case.name}_{batch}"
    plain = folder / f"{stem}_float32.onnx"
    model = onnx.load(case.path())
    fix_batch(model, case.shapes(), batch)
    onnx.save(model, plain)
    found, failures = [Candidate("float32", plain)], {}
    with _quiet():
        prepared = _prepare(plain, folder / f"{stem}_prepared.onnx")
        for name, build in _recipes(case, batch).items():
            path = folder / f"{stem}_{name}.onnx"
            try:
                build(prepared, path)
                Candidate(name, path).session(1)
            except Exception as error:  # noqa: BLE001 - a baseline that fails is reported, not fatal
                text = str(error).splitlines()
                failures[name] = f"{type(error).__name__}: {text[0][:160] if text else ''}"
                continue
            found.append(Candidate(name, path))
    return found, failures


def repeat(samples: Samples, start: int, batch: int) -> Samples:
    """Return `batch` rows from `start` on, beginning again at the end."""
    return take(samples, np.arange(start, start + batch) % num_samples(samples))


def _prepare(source: Path, target: Path) -> Path:
    """Run ONNX Runtime's own preparation for quantisation, which fuses BatchNorm and the like."""
    for skip_symbolic_shape in (False, True):
        with contextlib.suppress(Exception):  # it asserts on some graphs; the next form is weaker
            quant_pre_process(source, target, skip_symbolic_shape=skip_symbolic_shape)
            return target
    return source


def _recipes(case: ModelCase, batch: int) -> dict[str, Callable[[Path, Path], None]]:
    def static(source: Path, target: Path, **options: Any) -> None:  # noqa: ANN401 - ORT's own
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(source, target, _Reader(case, batch), **types, **options)

    return {
        "qdq": lambda a, b: static(a, b, quant_format=QuantFormat.QDQ),
        "qdq_channel": lambda a, b: static(a, b, quant_format=QuantFormat.QDQ, per_channel=True),
        "qoperator": lambda a, b: static(a, b, quant_format=QuantFormat.QOperator),
        "dynamic": lambda a, b: quantize_dynamic(a, b, weight_type=QuantType.QInt8),
    }


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
    """Feeds calibration samples in batches of the size that the file was fixed to."""

    def __init__(self, case: ModelCase, batch: int) -> None:
        samples = case.calibration()
        count = num_samples(samples)
        if case.is_large:
            count = min(MAX_CALIBRATION_LARGE, count)
        self._feeds = iter([repeat(samples, start, batch) for start in range(0, count, batch)])

    def get_next(self) -> Samples | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser, which logs its advice through the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
