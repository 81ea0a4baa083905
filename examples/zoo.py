"""The zoo: every model of the examples with data to calibrate it and data to judge it.

    from examples.zoo import zoo
    case = zoo()["lenet"]
    case.path(); case.calibration(); case.test(); case.target

Samples are a dict from input name to an array whose first axis counts samples: row `i` of every
array, kept as a batch of one, is one input of the model. Calibration and test never share a row.

| Name           | Network                                      | Data                         |
|----------------|----------------------------------------------|------------------------------|
| tiny_relu      | MLP 4-16-16-1                                | synthetic                    |
| tiny_sigmoid   | MLP 4-16-16-1, all sigmoid                   | synthetic                    |
| alloc_softmax  | MLP 8-32-32-5, softmax                       | synthetic                    |
| weights        | MLP 23-32-16-10, sigmoid, softmax            | Fama-French returns          |
| exposure       | MLP 23-16-1, sigmoid                         | Fama-French returns          |
| newcomer       | residual 1-D CNN, BatchNorm, GELU, LayerNorm | Fama-French returns          |
| tblock         | pre-LN transformer block                     | normals                      |
| mlp100k, mlp1m | MLPs                                         | MNIST                        |
| lenet          | LeNet-5                                      | MNIST                        |
| textdirection  | MobileNetV3-like CNN                         | rendered lines of text       |
| filetype       | magika: byte table, LayerNorm, Conv          | files of this machine        |
| minilm         | sentence encoder, 6 layers, 128 tokens       | sentences, padded and masked |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from examples.carriers import FILE_TYPE_MODEL, TEXT_DIRECTION_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Samples = dict[str, NDArray[Any]]

FOLDER = Path(__file__).resolve().parent
NUM_CALIBRATION_DIGITS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the integer program has to reach on the test samples.

    `at_least` bounds the mean agreement or cosine from below and `minimum` the worst sample's;
    `at_most` bounds the largest absolute error.
    """

    metric: Literal["max_abs_error", "top1_agreement", "cosine"]
    at_most: float | None = None
    at_least: float | None = None
    minimum: float | None = None

    def is_met(self, measured: Measured) -> bool:
        """Say whether measured figures reach this target."""
        if self.at_most is not None and measured.worst > self.at_most:
            return False
        if self.minimum is not None and measured.worst < self.minimum:
            return False
        return self.at_least is None or measured.mean >= self.at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How close outputs are to the float model's, in the metric of a target.

    Units: absolute error, share of agreeing samples, or cosine.
    """

    mean: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCase:
    """One model with its data; `labels` belong to the test samples.

    `dims` gives a size to the axes that the file leaves open, by place; batch needs none.
    """

    name: str
    path: Callable[[], Path]
    samples: Callable[[], tuple[Samples, Samples]]
    target: Target
    labels: Callable[[], NDArray[np.int64]] | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    is_large: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the input shapes for a batch of one, for files that leave axes open."""
        return {name: (1, *value.shape[1:]) for name, value in self.calibration().items()}

    def calibration(self) -> Samples:
        """Return the samples that ranges are taken from."""
        return self.samples()[0]

    def test(self) -> Samples:
        """Return the samples that accuracy is judged on, all inside the calibrated input range."""
        return self.samples()[1]

    def random(self, count: int, *, seed: int) -> Samples:
        """Return inputs without meaning: values in the calibrated range, masks of any length."""
        rng = np.random.default_rng(seed)
        rows: Samples = {}
        for name, known in self.calibration().items():
            shape = (count, *known.shape[1:])
            if name == "attention_mask":
                lengths = rng.integers(1, shape[1] + 1, (count, 1))
                rows[name] = (np.arange(shape[1]) < lengths).astype(known.dtype)
            elif known.dtype.kind == "f":
                rows[name] = rng.uniform(known.min(), known.max(), shape).astype(known.dtype)
            else:
                rows[name] = rng.integers(0, known.max() + 1, shape, dtype=known.dtype)
        return rows


def take(samples: Samples, rows: slice | NDArray[Any]) -> Samples:
    """Return some rows of all inputs."""
    return {name: value[rows] for name, value in samples.items()}


def num_samples(samples: Samples) -> int:
    """Return how many inputs there are."""
    return len(next(iter(samples.values())))


def measure(case: ModelCase, expected: NDArray[Any], actual: NDArray[Any]) -> Measured:
    """Compare one output of all samples in the metric of the case."""
    if case.target.metric == "max_abs_error":
        error = np.abs(expected - actual)
        return Measured(mean=float(error.mean()), worst=float(error.max()))
    left, right = (
        np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in (expected, actual)
    )
    if case.target.metric == "top1_agreement":
        scores = np.asarray(left.argmax(axis=1) == right.argmax(axis=1), dtype=np.float64)
    else:
        lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        scores = (left * right).sum(axis=1) / lengths
    return Measured(mean=float(scores.mean()), worst=float(scores.min()))


def float_outputs(case: ModelCase, samples: Samples) -> dict[str, NDArray[Any]]:
    """Run ONNX Runtime in float32, one sample at a time, and stack the outputs."""
    session = ort.InferenceSession(case.path(), providers=["CPUExecutionProvider"])
    rows = [session.run(None, take(samples, slice(i, i + 1))) for i in range(num_samples(samples))]
    names = [output.name for output in session.get_outputs()]
    columns = zip(*rows, strict=True)
    return {name: np.concatenate(values) for name, values in zip(names, columns, strict=True)}


def exact_outputs(case: ModelCase, samples: Samples) -> dict[str, NDArray[np.float64]]:
    """Run the model in float64 with ONNX's reference evaluator: for small float models only."""
    model = onnx.load(case.path())
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            wide = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    evaluator = ReferenceEvaluator(model)
    inputs = {name: value.astype(np.float64) for name, value in samples.items()}
    return dict(zip(evaluator.output_names, evaluator.run(None, inputs), strict=True))


@cache
def zoo() -> dict[str, ModelCase]:
    """Return all cases, small ones first."""
    exact = Target(metric="max_abs_error", at_most=1e-3)
    digits = Target(metric="top1_agreement", at_least=0.998)
    agree = Target(metric="top1_agreement", at_least=0.99)
    close = Target(metric="cosine", at_least=0.9998, minimum=0.999)
    models, allocation = FOLDER / "models", FOLDER / "allocation"
    months = partial(_parts, "allocation", "features")
    windows = partial(_parts, "newcomer", "series")
    pixels, image = partial(_digits, (784,)), partial(_digits, (1, 28, 28))
    cases = [
        _committed("tiny_relu", models, partial(_halves, "tiny_test.npz"), exact),
        _committed("tiny_sigmoid", models, partial(_halves, "tiny_test.npz"), exact),
        _committed("alloc_softmax", models, partial(_halves, "alloc_test.npz"), exact),
        _committed("weights", allocation, months, exact),
        _committed("exposure", allocation, months, exact),
        _committed("newcomer", FOLDER / "newcomer", windows, agree, _window_labels),
        _committed("tblock", models, partial(_halves, "tblock_test.npz"), close),
        _committed("mlp100k", models, pixels, digits, _digit_labels),
        _committed("mlp1m", models, pixels, digits, _digit_labels),
        _committed("lenet", models, image, digits, _digit_labels),
        ModelCase(
            name="textdirection",
            path=TEXT_DIRECTION_MODEL.path,
            samples=_lines,
            labels=_line_labels,
            dims={"x[2]": 48, "x[3]": 192},
            target=agree,
            is_large=True,
        ),
        ModelCase(
            name="filetype",
            path=FILE_TYPE_MODEL.path,
            samples=_files,
            target=agree,
            is_large=True,
        ),
        ModelCase(
            name="minilm",
            path=_sentence_encoder,
            samples=_sentences,
            target=close,
            is_large=True,
        ),
    ]
    return {case.name: case for case in cases}


def _committed(
    name: str,
    folder: Path,
    samples: Callable[[], tuple[Samples, Samples]],
    target: Target,
    labels: Callable[[], NDArray[np.int64]] | None = None,
) -> ModelCase:
    path = folder / f"{name}.onnx"
    return ModelCase(name=name, path=lambda: path, samples=samples, target=target, labels=labels)


def _inside(calibration: NDArray[Any], test: NDArray[Any]) -> NDArray[Any]:
    """Return which test rows lie inside the range of the calibration rows."""
    axes = tuple(range(1, test.ndim))
    low, high = calibration.min(), calibration.max()
    inside: NDArray[Any] = (test.min(axis=axes) >= low) & (test.max(axis=axes) <= high)
    return inside


@cache
def _halves(file: str) -> tuple[Samples, Samples]:
    rows = np.load(FOLDER / "models" / file)["x"]
    calibration, test = rows[0::2], rows[1::2]
    return {"input": calibration}, {"input": test[_inside(calibration, test)]}


@cache
def _parts(folder: str, name: str) -> tuple[Samples, Samples]:
    """Read `calibration.npz` and `test.npz` of a folder."""
    calibration, test = (
        np.load(FOLDER / folder / f"{part}.npz")[name] for part in ("calibration", "test")
    )
    return {name: calibration}, {name: test[_inside(calibration, test)]}


def _window_labels() -> NDArray[np.int64]:
    folder = FOLDER / "newcomer"
    calibration, test = (
        np.load(folder / f"{part}.npz")["series"] for part in ("calibration", "test")
    )
    labels = np.load(folder / "test_labels.npy")
    return np.asarray(labels[_inside(calibration, test)], dtype=np.int64)


@cache
def _digits(shape: tuple[int, ...]) -> tuple[Samples, Samples]:
    pixels = np.load(FOLDER / "models" / "mnist_test.npz")["x"]
    rows = (pixels.astype(np.float32) / np.float32(255.0)).reshape(-1, *shape)
    return {"input": rows[:NUM_CALIBRATION_DIGITS]}, {"input": rows[NUM_CALIBRATION_DIGITS:]}


def _digit_labels() -> NDArray[np.int64]:
    labels = np.load(FOLDER / "models" / "mnist_test.npz")["y"]
    return np.asarray(labels[NUM_CALIBRATION_DIGITS:], dtype=np.int64)


def _lines() -> tuple[Samples, Samples]:
    from examples.textdirection.lines import images

    return {"x": images("calibration")[0]}, {"x": images("test")[0]}


def _line_labels() -> NDArray[np.int64]:
    from examples.textdirection.lines import images

    return images("test")[1]


def _files() -> tuple[Samples, Samples]:
    from examples.filetype.corpus import tokens

    calibration, test = tokens()
    return {"bytes": calibration}, {"bytes": test}


def _sentence_encoder() -> Path:
    from examples.minilm.export import cached

    return cached()


@cache
def _sentences() -> tuple[Samples, Samples]:
    from examples.minilm.tokens import sentences, tokenize

    calibration, test = (tokenize(sentences(part)) for part in ("calibration", "test"))
    return calibration, test
