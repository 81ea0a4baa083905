"""Train a small residual 1-D CNN and write it the way foreign exporters do.

Run: python -m examples.newcomer.train

Task: from 24 months of a portfolio's return against the market, and of four factors, tell whether
the portfolio holds small, middle or large companies. Data: Kenneth French's library, as shipped
by `linearmodels`; windows that end before 1990 train, windows that start after it are the test.

Nothing in the compiler knows this model. Its file differs from the other examples on purpose:
opset 21, a symbolic batch axis, constants as nodes, BatchNormalization, a depthwise Conv, GELU
and LayerNorm spelled out, reductions whose axes are inputs.
"""

from __future__ import annotations

import bz2
import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy.special import erf

from examples.carriers import FRENCH_RETURNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Parameters = dict[str, Array]

FOLDER = Path(__file__).resolve().parent
SEED = 19_260_701
FACTORS = ("MktRF", "SMB", "HML", "Mom")
PORTFOLIOS = tuple(f"S{size}{style}{rank}" for size in "135" for style in "VM" for rank in "135")
MONTHS = 24
HIDDEN = 24
EPSILON = 1e-5
# Monthly returns times 20, so that a usual month is about one; the cut is at 20 % a month.
GAIN, CUT = 20.0, 4.0


def windows() -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Return training windows with labels, and test windows with labels.

    Shape: (windows, 5, 24) and (windows,); label 0 small, 1 middle, 2 large.
    """
    text = bz2.decompress(FRENCH_RETURNS.path().read_bytes()).decode("ascii")
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = {
        name: np.array([float(row[name]) for row in rows]) for name in (*FACTORS, *PORTFOLIOS, "RF")
    }
    factors = np.stack([columns[name] for name in FACTORS])
    split = next(i for i, row in enumerate(rows) if row["dates"] >= "1990")
    found: dict[bool, list[tuple[Array, int]]] = {False: [], True: []}
    for start in range(0, len(rows) - MONTHS + 1, 3):
        end = start + MONTHS
        if start < split < end:
            continue
        for name in PORTFOLIOS:
            against = (
                columns[name][start:end] - columns["MktRF"][start:end] - columns["RF"][start:end]
            )
            series = np.concatenate([against[None], factors[:, start:end]])
            found[start >= split].append((np.clip(GAIN * series, -CUT, CUT), "135".index(name[1])))
    (train, train_labels), (test, test_labels) = (
        (np.stack([series for series, _ in part]), np.array([label for _, label in part]))
        for part in found.values()
    )
    return train, train_labels, test, test_labels


def initialise(series: Array, rng: np.random.Generator) -> Parameters:
    """Draw weights; BatchNorm keeps the statistics that the first convolution has now."""
    channels = series.shape[1]
    parameters = {
        "stem": rng.normal(0.0, np.sqrt(2.0 / (3 * channels)), (HIDDEN, channels, 3)),
        "scale": np.ones(HIDDEN),
        "shift": np.zeros(HIDDEN),
        "depthwise": rng.normal(0.0, np.sqrt(2.0 / 3.0), (HIDDEN, 1, 3)),
        "pointwise": rng.normal(0.0, 0.5 / np.sqrt(HIDDEN), (HIDDEN, HIDDEN, 1)),
        "gamma": np.ones(HIDDEN),
        "beta": np.zeros(HIDDEN),
        "head": rng.normal(0.0, 1.0 / np.sqrt(HIDDEN), (3, HIDDEN)),
        "bias": np.zeros(3),
    }
    first = np.einsum("ock,nckt->not", parameters["stem"], _neighbours(series))
    return parameters | {"mean": first.mean(axis=(0, 2)), "variance": first.var(axis=(0, 2))}


def forward(parameters: Parameters, series: Array) -> dict[str, Array]:
    """Return all intermediate values by name; `logits` is the answer."""
    value: dict[str, Array] = {"near": _neighbours(series)}
    value["first"] = np.einsum("ock,nckt->not", parameters["stem"], value["near"])
    deviation = np.sqrt(parameters["variance"] + EPSILON)
    value["unit"] = (value["first"] - parameters["mean"][:, None]) / deviation[:, None]
    value["normed"] = value["unit"] * parameters["scale"][:, None] + parameters["shift"][:, None]
    value["hidden"] = _gelu(value["normed"])
    value["hidden_near"] = _neighbours(value["hidden"])
    kernels = parameters["depthwise"][:, 0]
    value["depthwise"] = np.einsum("ck,nckt->nct", kernels, value["hidden_near"])
    value["branch"] = _gelu(value["depthwise"])
    residual = value["hidden"] + parameters["pointwise"][:, :, 0] @ value["branch"]
    centred = residual - residual.mean(axis=1, keepdims=True)
    value["spread"] = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)
    value["whitened"] = centred / value["spread"]
    scaled = value["whitened"] * parameters["gamma"][:, None] + parameters["beta"][:, None]
    value["pooled"] = scaled.mean(axis=2)
    value["logits"] = value["pooled"] @ parameters["head"].T + parameters["bias"]
    return value


def gradient(parameters: Parameters, series: Array, labels: NDArray[np.int64]) -> Parameters:
    """Return the gradient of the mean cross entropy by backpropagation."""
    value = forward(parameters, series)
    powers = np.exp(value["logits"] - value["logits"].max(axis=1, keepdims=True))
    d_logits = powers / powers.sum(axis=1, keepdims=True)
    d_logits[np.arange(len(labels)), labels] -= 1.0
    d_logits /= len(labels)
    slope = {"head": d_logits.T @ value["pooled"], "bias": d_logits.sum(axis=0)}
    d_scaled = np.repeat((d_logits @ parameters["head"])[:, :, None] / MONTHS, MONTHS, axis=2)
    slope["gamma"] = (d_scaled * value["whitened"]).sum(axis=(0, 2))
    slope["beta"] = d_scaled.sum(axis=(0, 2))
    d_white = d_scaled * parameters["gamma"][:, None]
    inner = (d_white * value["whitened"]).mean(axis=1, keepdims=True)
    d_residual = d_white - d_white.mean(axis=1, keepdims=True) - value["whitened"] * inner
    d_residual /= value["spread"]
    slope["pointwise"] = np.einsum("nct,ndt->cd", d_residual, value["branch"])[:, :, None]
    d_branch = parameters["pointwise"][:, :, 0].T @ d_residual
    d_depthwise = d_branch * _gelu_slope(value["depthwise"])
    slope["depthwise"] = np.einsum("nct,nckt->ck", d_depthwise, value["hidden_near"])[:, None]
    d_near = parameters["depthwise"][:, 0, :, None] * d_depthwise[:, :, None]
    d_hidden = d_residual + d_near[:, :, 1]
    d_hidden[:, :, :-1] += d_near[:, :, 0, 1:]
    d_hidden[:, :, 1:] += d_near[:, :, 2, :-1]
    d_normed = d_hidden * _gelu_slope(value["normed"])
    slope["scale"] = (d_normed * value["unit"]).sum(axis=(0, 2))
    slope["shift"] = d_normed.sum(axis=(0, 2))
    deviation = np.sqrt(parameters["variance"] + EPSILON)
    d_first = d_normed * (parameters["scale"] / deviation)[:, None]
    slope["stem"] = np.einsum("not,nckt->ock", d_first, value["near"], optimize=True)
    return slope


def train(series: Array, labels: NDArray[np.int64], *, epochs: int = 12) -> Parameters:
    """Run Adam over shuffled batches of 64."""
    rng = np.random.default_rng(SEED)
    parameters = initialise(series, rng)
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    step = 0
    for epoch in range(epochs):
        rate = 4e-3 * (1.0 - epoch / epochs)
        for rows in np.array_split(rng.permutation(len(series)), len(series) // 64):
            step += 1
            for name, slope in gradient(parameters, series[rows], labels[rows]).items():
                first[name] = 0.9 * first[name] + 0.1 * slope
                second[name] = 0.999 * second[name] + 0.001 * slope**2
                mean = first[name] / (1.0 - 0.9**step)
                spread = np.sqrt(second[name] / (1.0 - 0.999**step)) + 1e-8
                parameters[name] = parameters[name] - rate * mean / spread
    return parameters


def to_onnx(parameters: Parameters) -> onnx.ModelProto:
    """Write the network as an ONNX model."""
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value: Any) -> str:  # noqa: ANN401 - anything numpy takes
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        return name

    def node(op: str, output: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def gelu(name: str, value: str) -> str:
        scaled = node("Mul", f"{name}/scaled", value, constant(f"{name}/c", np.sqrt(0.5)))
        error = node("Erf", f"{name}/erf", scaled)
        shifted = node("Add", f"{name}/shifted", error, constant(f"{name}/one", 1.0))
        half = node("Mul", f"{name}/half", value, constant(f"{name}/point5", 0.5))
        return node("Mul", name, half, shifted)

    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in parameters.items()]
    node("Conv", "first", "series", "stem", kernel_shape=[3], pads=[1, 1])
    node(
        "BatchNormalization",
        "normed",
        "first",
        "scale",
        "shift",
        "mean",
        "variance",
        epsilon=EPSILON,
    )
    gelu("hidden", "normed")
    node("Conv", "deep", "hidden", "depthwise", kernel_shape=[3], pads=[1, 1], group=HIDDEN)
    gelu("branch", "deep")
    node("Conv", "mixed", "branch", "pointwise", kernel_shape=[1])
    node("Add", "residual", "hidden", "mixed")
    node("Transpose", "by_month", "residual", perm=[0, 2, 1])
    last = constant("last", [-1])
    node("Sub", "centred", "by_month", node("ReduceMean", "average", "by_month", last, keepdims=1))
    node("Pow", "square", "centred", constant("two", 2.0))
    node("ReduceMean", "spread", "square", last, keepdims=1)
    node("Sqrt", "deviation", node("Add", "safe", "spread", constant("eps", EPSILON)))
    node("Mul", "scaled", node("Div", "whitened", "centred", "deviation"), "gamma")
    node("Add", "ready", "scaled", "beta")
    node("ReduceMean", "pooled", "ready", constant("months", [1]), keepdims=0)
    node("Gemm", "logits", "pooled", "head", "bias", transB=1)

    value_info = helper.make_tensor_value_info
    inputs = [value_info("series", TensorProto.FLOAT, ["N", 1 + len(FACTORS), MONTHS])]
    outputs = [value_info("logits", TensorProto.FLOAT, ["N", 3])]
    graph = helper.make_graph(nodes, "style", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Train, print the test accuracy, write the files of this folder."""
    series, labels, test, test_labels = windows()
    parameters = train(series, labels)
    agreement = float(np.mean(forward(parameters, test)["logits"].argmax(axis=1) == test_labels))
    print(f"{len(series)} training windows, {len(test)} test windows, accuracy {agreement:.1%}")
    onnx.save(to_onnx(parameters), FOLDER / "newcomer.onnx")
    np.savez_compressed(FOLDER / "calibration.npz", series=series[::8].astype(np.float32))
    chosen = test[::3].astype(np.float32)
    np.savez_compressed(FOLDER / "test.npz", series=chosen)
    np.savez_compressed(FOLDER / "question.npz", series=chosen[:1])
    np.save(FOLDER / "test_labels.npy", test_labels[::3].astype(np.uint8))


def _neighbours(value: Array) -> Array:
    """Return previous, same and next month. Shape: (n, c, t) to (n, c, 3, t)."""
    padded = np.pad(value, ((0, 0), (0, 0), (1, 1)))
    return np.stack([padded[:, :, :-2], value, padded[:, :, 2:]], axis=2)


def _gelu(value: Array) -> Array:
    result: Array = 0.5 * value * (1.0 + erf(value * np.sqrt(0.5)))
    return result


def _gelu_slope(value: Array) -> Array:
    density = np.exp(-0.5 * value**2) / np.sqrt(2.0 * np.pi)
    slope: Array = 0.5 * (1.0 + erf(value * np.sqrt(0.5))) + value * density
    return slope


if __name__ == "__main__":
    main()
