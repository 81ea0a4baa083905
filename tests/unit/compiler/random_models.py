"""Random small ONNX models, from ordinary to absurd: what the compiler has to cope with.

A model is a list of `Step`s over a tensor whose shape the builder follows; a step that does not fit
the shape is left out. Weights, biases and inputs take the scales that a step names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from hypothesis import strategies as st

from tests.unit.compiler.frontend.models import model, node

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: Ordinary steps keep values near one, so that accuracy can be asked for.
SCALES = (1.0, 1.0, 0.3, 3.0)
ABSURD = (0.0, 1e-30, 1e-6, 1e-3, 1e3, 1e6, 1e30)
POINTWISE = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Abs",
    "Neg",
    "LeakyRelu",
    "HardSigmoid",
    "Elu",
    "Softplus",
    "Erf",
    "HardSwish",
    "Clip",
)
KINDS = (
    "linear",
    "bias_only",
    "pointwise",
    "pointwise",
    "scale",
    "shift",
    "gain",
    "residual",
    "difference",
    "square",
    "gate",
    "norm",
    "softmax",
    "attention",
    "conv",
    "depthwise",
    "max_pool",
    "average_pool",
    "global_pool",
    "flatten",
    "mean",
    "maximum",
    "concat",
    "slice",
    "pad",
    "transpose",
    "top",
    "second_output",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One layer: what, at which scale, and a number that decides the rest."""

    kind: str
    scale: float
    seed: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model and its samples."""

    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    samples: str
    scale: float
    seed: int


def recipes(*, absurd: bool) -> st.SearchStrategy[Recipe]:
    """Draw a recipe; `absurd` mixes in scales that no training would give."""
    scales = st.sampled_from(SCALES + ABSURD if absurd else SCALES)
    seeds = st.integers(0, 2**16)
    steps = st.builds(Step, st.sampled_from(KINDS), scales, seeds)
    shapes = st.sampled_from(
        [(4,), (1,), (17,), (1500,), (3, 8), (1, 6), (5, 1), (2, 6, 6), (1, 9, 4), (3, 1, 1)]
    )
    kinds = ["normal", "uniform", "positive"]
    if absurd:
        kinds += ["zero", "constant", "outlier", "negative", "single"]
    return st.builds(
        Recipe, shapes, st.lists(steps, min_size=1, max_size=7).map(tuple),
        st.sampled_from(kinds), scales, seeds,
    )  # fmt: skip


class Builder:
    """Grows a model; `value` is the current tensor and `shape` its shape without the batch."""

    def __init__(self, recipe: Recipe) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.value, self.shape = "x", recipe.shape
        self.history = [("x", recipe.shape)]
        self.outputs: list[str] = []
        for step in recipe.steps:
            before = self.value
            getattr(self, f"_{step.kind}")(step, np.random.default_rng(step.seed))
            if self.value != before:
                self.history.append((self.value, self.shape))

    def add(self, op: str, *inputs: str, shape: tuple[int, ...] | None = None, **attrs: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(op, list(inputs), [name], name=f"n{len(self.nodes)}", **attrs))
        self.value = name
        if shape is not None:
            self.shape = shape
        return name

    def const(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        with np.errstate(all="ignore"):
            self.constants[name] = np.asarray(array).astype(dtype)
        return name

    def finish(self) -> onnx.ModelProto:
        if self.value == "x":
            self.add("Relu", "x")
        outputs = list(dict.fromkeys([*self.outputs, self.value]))
        proto = model(self.nodes, {"x": [1, *self.size]}, outputs, self.constants)
        onnx.checker.check_model(proto)
        return proto

    @property
    def size(self) -> tuple[int, ...]:
        return self.history[0][1]

    def _linear(self, step: Step, rng: np.random.Generator) -> None:
        columns = int(rng.choice([1, 3, 16]))
        inner = self.shape[-1]
        weight = rng.normal(size=(inner, columns)) * step.scale / np.sqrt(inner)
        if rng.random() < 0.2:
            weight[:, rng.integers(columns)] = 0.0
        if rng.random() < 0.2:
            weight = -np.abs(weight)
        self.add("MatMul", self.value, self.const(weight), shape=(*self.shape[:-1], columns))
        if rng.random() < 0.7:
            bias = rng.normal(size=columns) * rng.choice([0.1, 1.0, step.scale])
            self.add("Add", self.value, self.const(bias))

    def _bias_only(self, step: Step, rng: np.random.Generator) -> None:
        inner = self.shape[-1]
        weight, bias = np.zeros((inner, inner)), rng.normal(size=inner) * step.scale
        self.add("MatMul", self.value, self.const(weight))
        self.add("Add", self.value, self.const(bias))

    def _pointwise(self, _: Step, rng: np.random.Generator) -> None:
        op = str(rng.choice(POINTWISE))
        if op == "Clip":
            self.add(op, self.value, self.const(-0.5), self.const(0.75))
        else:
            self.add(op, self.value)

    def _scale(self, step: Step, rng: np.random.Generator) -> None:
        self.add("Mul", self.value, self.const(step.scale * rng.choice([-1.0, 1.0, 0.7])))

    def _shift(self, step: Step, rng: np.random.Generator) -> None:
        self.add("Add", self.value, self.const(step.scale * rng.choice([-1.0, 1.0, 0.7])))

    def _gain(self, step: Step, rng: np.random.Generator) -> None:
        axis = int(rng.integers(len(self.shape)))
        shape = [1] * len(self.shape)
        shape[axis] = self.shape[axis]
        gain = rng.normal(size=shape) * step.scale
        gain.flat[0] = rng.choice([0.0, -1.0, 1.0])
        self.add("Mul", self.value, self.const(gain))
        if rng.random() < 0.5:
            self.add("Add", self.value, self.const(rng.normal(size=shape) * step.scale))

    def _earlier(self, rng: np.random.Generator) -> str | None:
        same = [name for name, shape in self.history if shape == self.shape]
        return str(rng.choice(same)) if same else None

    def _residual(self, _: Step, rng: np.random.Generator) -> None:
        if (other := self._earlier(rng)) is not None:
            self.add("Add", self.value, other)

    def _difference(self, _: Step, rng: np.random.Generator) -> None:
        if (other := self._earlier(rng)) is not None:
            self.add("Sub", other, self.value)

    def _square(self, _: Step, __: np.random.Generator) -> None:
        self.add("Mul", self.value, self.value)

    def _gate(self, _: Step, rng: np.random.Generator) -> None:
        other = self._earlier(rng)
        if other is not None:
            gate = self.add("Sigmoid", self.value)
            self.add("Mul", other, gate)

    def _norm(self, step: Step, rng: np.random.Generator) -> None:
        d = self.shape[-1]
        gain, bias = rng.normal(size=d) * step.scale, rng.normal(size=d)
        epsilon = float(rng.choice([1e-12, 1e-5, 1.0]))
        self.add(
            "LayerNormalization", self.value, self.const(gain), self.const(bias), epsilon=epsilon
        )

    def _softmax(self, _: Step, __: np.random.Generator) -> None:
        self.add("Softmax", self.value, axis=-1)

    def _attention(self, step: Step, rng: np.random.Generator) -> None:
        if len(self.shape) != 2:
            return
        tokens, d = self.shape
        x = self.value
        parts = [
            self.add("MatMul", x, self.const(rng.normal(size=(d, 4)) * scale / np.sqrt(d)))
            for scale in (step.scale, 1.0, step.scale)
        ]
        turned = self.add("Transpose", parts[1], perm=[0, 2, 1])
        scores = self.add("MatMul", parts[0], turned)
        scores = self.add("Mul", scores, self.const(0.5))
        shares = self.add("Softmax", scores, axis=-1)
        self.add("MatMul", shares, parts[2], shape=(tokens, 4))

    def _conv(self, step: Step, rng: np.random.Generator, groups: int = 1) -> None:
        if len(self.shape) != 3:
            return
        channels, height, width = self.shape
        if min(height, width) < 3:
            return
        out = channels if groups > 1 else int(rng.choice([1, 4]))
        pad, stride = int(rng.integers(2)), int(rng.integers(1, 3))
        fan_in = 9 * channels / groups
        weight = rng.normal(size=(out, channels // groups, 3, 3)) * step.scale / np.sqrt(fan_in)
        bias = rng.normal(size=out) * rng.choice([0.1, step.scale])
        size = tuple((n + 2 * pad - 3) // stride + 1 for n in (height, width))
        pads, strides = [pad] * 4, [stride] * 2
        weights = [self.const(weight), self.const(bias)]
        self.add("Conv", self.value, *weights, shape=(out, *size), strides=strides, pads=pads,
                 group=groups)  # fmt: skip

    def _depthwise(self, step: Step, rng: np.random.Generator) -> None:
        if len(self.shape) == 3:
            self._conv(step, rng, groups=self.shape[0])

    def _pool(self, op: str, rng: np.random.Generator, **attrs: Any) -> None:
        if len(self.shape) != 3 or min(self.shape[1:]) < 2:
            return
        pad = int(rng.integers(2))
        size = tuple((n + 2 * pad - 2) // 2 + 1 for n in self.shape[1:])
        self.add(op, self.value, shape=(self.shape[0], *size), kernel_shape=[2, 2],
                 strides=[2, 2], pads=[pad] * 4, **attrs)  # fmt: skip

    def _max_pool(self, _: Step, rng: np.random.Generator) -> None:
        self._pool("MaxPool", rng)

    def _average_pool(self, _: Step, rng: np.random.Generator) -> None:
        self._pool("AveragePool", rng, count_include_pad=int(rng.integers(2)))

    def _global_pool(self, _: Step, __: np.random.Generator) -> None:
        if len(self.shape) == 3:
            self.add("GlobalAveragePool", self.value, shape=(self.shape[0], 1, 1))

    def _flatten(self, _: Step, __: np.random.Generator) -> None:
        self.add("Flatten", self.value, shape=(int(np.prod(self.shape)),))

    def _mean(self, _: Step, rng: np.random.Generator) -> None:
        axis = int(rng.integers(len(self.shape)))
        shape = (*self.shape[:axis], 1, *self.shape[axis + 1 :])
        self.add("ReduceMean", self.value, shape=shape, axes=[axis + 1], keepdims=1)

    def _maximum(self, _: Step, rng: np.random.Generator) -> None:
        axis = int(rng.integers(len(self.shape)))
        shape = (*self.shape[:axis], 1, *self.shape[axis + 1 :])
        self.add("ReduceMax", self.value, shape=shape, axes=[axis + 1], keepdims=1)

    def _concat(self, _: Step, rng: np.random.Generator) -> None:
        if (other := self._earlier(rng)) is not None and self.shape[-1] < 2000:
            shape = (*self.shape[:-1], 2 * self.shape[-1])
            self.add("Concat", self.value, other, shape=shape, axis=-1)

    def _slice(self, _: Step, rng: np.random.Generator) -> None:
        n = self.shape[-1]
        start = int(rng.integers(n))
        ends = [self.const([v], np.int64) for v in (start, n, len(self.shape))]
        self.add("Slice", self.value, *ends, shape=(*self.shape[:-1], n - start))

    def _pad(self, step: Step, _: np.random.Generator) -> None:
        widths = [0] * (len(self.shape) + 1)
        ends = self.const([*widths[:-1], 1, *widths], np.int64)
        self.add("Pad", self.value, ends, self.const(step.scale),
                 shape=(*self.shape[:-1], self.shape[-1] + 1))  # fmt: skip

    def _transpose(self, _: Step, __: np.random.Generator) -> None:
        if len(self.shape) > 1:
            rank = len(self.shape)
            perm = [0, *range(1, rank - 1), rank, rank - 1]
            shape = (*self.shape[:-2], self.shape[-1], self.shape[-2])
            self.add("Transpose", self.value, shape=shape, perm=perm)

    def _top(self, _: Step, rng: np.random.Generator) -> None:
        k = int(rng.integers(1, min(self.shape[-1], 5) + 1))
        name = f"t{len(self.nodes)}"
        inputs = [self.value, self.const([k], np.int64)]
        self.nodes.append(node("TopK", inputs, [name, f"{name}_at"], name=name, axis=-1))
        self.value, self.shape = name, (*self.shape[:-1], k)

    def _second_output(self, _: Step, __: np.random.Generator) -> None:
        if self.value != "x":
            self.outputs.append(self.value)


def samples_of(recipe: Recipe, count: int = 24) -> NDArray[np.float32]:
    """Draw samples of the kind that a recipe names."""
    rng = np.random.default_rng(recipe.seed)
    size = (count, *recipe.shape)
    draw: dict[str, Callable[[], NDArray[np.float64]]] = {
        "normal": lambda: rng.normal(size=size),
        "uniform": lambda: rng.uniform(-1.0, 1.0, size),
        "positive": lambda: rng.uniform(0.2, 1.0, size),
        "negative": lambda: rng.uniform(-1.0, -0.9, size),
        "zero": lambda: np.zeros(size),
        "constant": lambda: np.full(size, 0.37),
        "outlier": lambda: np.where(rng.random(size) < 0.01, 1e4, rng.normal(size=size)),
        "single": lambda: rng.normal(size=(1, *recipe.shape)),
    }
    with np.errstate(all="ignore"):
        return (draw[recipe.samples]() * recipe.scale).astype(np.float32)
