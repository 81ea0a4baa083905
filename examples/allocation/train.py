"""Train the allocation models and write the ONNX files of this folder.

Run: python -m examples.allocation.train

Two heads on the same 23 features, both trained on expected power utility of next month's return:

| File          | Network                          | Output                                      |
|---------------|----------------------------------|---------------------------------------------|
| weights.onnx  | 23-32-16-10, sigmoid, softmax    | weights of nine portfolios and cash         |
| exposure.onnx | 23-16-1, sigmoid, sigmoid        | share of the market portfolio, rest in cash |

Plain NumPy, full batch, fixed seed. The months before 1990 train, 1990 to 1999 choose when to
stop, and the months from 2000 on are looked at once, to print the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from examples.allocation import market

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parent
SEED = 20_170_331
RISK_AVERSION = 5.0
STEPS = 2_000
LEARNING_RATE = 1e-3
# Decoupled from the gradient: utilities of single months are so small that a penalty inside the
# loss outweighs them and the network answers the same weights to everything.
WEIGHT_DECAY = 0.3

Head = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Network:
    """Dense layers with sigmoid between them and one head.

    Shape: each weight is (out, in), each bias (out,).
    """

    layers: tuple[tuple[Array, Array], ...]
    head: Head

    @classmethod
    def initialise(cls, widths: tuple[int, ...], head: Head, rng: np.random.Generator) -> Network:
        """Draw Glorot-uniform weights and zero biases."""
        pairs = []
        for inner, outer in pairwise(widths):
            limit = np.sqrt(6.0 / (inner + outer))
            pairs.append((rng.uniform(-limit, limit, (outer, inner)), np.zeros(outer)))
        return cls(tuple(pairs), head)

    def forward(self, features: Array) -> list[Array]:
        """Return the input, every hidden activation, and the output."""
        activations = [features]
        for weight, bias in self.layers[:-1]:
            activations.append(_sigmoid(activations[-1] @ weight.T + bias))
        weight, bias = self.layers[-1]
        logits = activations[-1] @ weight.T + bias
        activations.append(_softmax(logits) if self.head == "softmax" else _sigmoid(logits))
        return activations

    def weights(self, features: Array) -> Array:
        """Return portfolio weights that sum to one, for either head."""
        output = self.forward(features)[-1]
        return output if self.head == "softmax" else np.concatenate([output, 1.0 - output], axis=1)

    def gradient(self, features: Array, returns: Array) -> list[tuple[Array, Array]]:
        """Return the gradient of the negative mean utility, layer by layer."""
        activations = self.forward(features)
        output = activations[-1]
        weights = self.weights(features)
        earned = (weights * returns).sum(axis=1)
        outer = -((1.0 + earned) ** -RISK_AVERSION)[:, None] * returns / len(returns)
        if self.head == "softmax":
            delta = output * (outer - (outer * output).sum(axis=1, keepdims=True))
        else:
            delta = (outer[:, :1] - outer[:, 1:]) * output * (1.0 - output)
        gradients: list[tuple[Array, Array]] = []
        for i_layer in range(len(self.layers) - 1, -1, -1):
            inner = activations[i_layer]
            gradients.append((delta.T @ inner, delta.sum(axis=0)))
            delta = (delta @ self.layers[i_layer][0]) * inner * (1.0 - inner)
        return gradients[::-1]


def train(network: Network, features: Array, returns: Array, rows: tuple[slice, slice]) -> Network:
    """Run AdamW and return the network of the step with the best validation utility."""
    fit, check = rows
    flat = [part.copy() for pair in network.layers for part in pair]
    first, second = [np.zeros_like(part) for part in flat], [np.zeros_like(part) for part in flat]
    best, best_utility = network, -np.inf
    for step in range(1, STEPS + 1):
        current = Network(tuple(zip(flat[0::2], flat[1::2], strict=True)), network.head)
        utility = certainty_equivalent(current.weights(features[check]), returns[check])
        if utility > best_utility:
            best, best_utility = current, utility
        pairs = current.gradient(features[fit], returns[fit])
        for i_part, part in enumerate(flat):
            slope = pairs[i_part // 2][i_part % 2]
            first[i_part] = 0.9 * first[i_part] + 0.1 * slope
            second[i_part] = 0.999 * second[i_part] + 0.001 * slope**2
            mean = first[i_part] / (1.0 - 0.9**step)
            spread = np.sqrt(second[i_part] / (1.0 - 0.999**step))
            flat[i_part] = part - LEARNING_RATE * (mean / (spread + 1e-8) + WEIGHT_DECAY * part)
    return best


def certainty_equivalent(weights: Array, returns: Array) -> float:
    """Return the riskless yearly return that has the same power utility.

    Units: per year; the monthly figure is compounded.
    """
    earned = (weights * returns).sum(axis=1)
    mean = np.mean((1.0 + earned) ** (1.0 - RISK_AVERSION))
    return float(mean ** (12.0 / (1.0 - RISK_AVERSION)) - 1.0)


def sharpe(weights: Array, returns: Array) -> float:
    """Return the yearly Sharpe ratio against cash, which is the last column of `returns`."""
    excess = (weights * returns).sum(axis=1) - returns[:, -1]
    return float(np.sqrt(12.0) * excess.mean() / excess.std())


def to_onnx(network: Network, name: str) -> onnx.ModelProto:
    """Write the network as Gemm, Sigmoid and Softmax with a symbolic batch axis."""
    nodes, tensors, current = [], [], "features"
    for i_layer, (weight, bias) in enumerate(network.layers):
        is_final = i_layer + 1 == len(network.layers)
        names = [f"weight_{i_layer}", f"bias_{i_layer}"]
        tensors += [
            numpy_helper.from_array(part.astype(np.float32), label)
            for part, label in zip((weight, bias), names, strict=True)
        ]
        nodes.append(helper.make_node("Gemm", [current, *names], [f"linear_{i_layer}"], transB=1))
        current = name if is_final else f"hidden_{i_layer}"
        if is_final and network.head == "softmax":
            nodes.append(helper.make_node("Softmax", [f"linear_{i_layer}"], [current], axis=-1))
        else:
            nodes.append(helper.make_node("Sigmoid", [f"linear_{i_layer}"], [current]))
    inputs = [
        helper.make_tensor_value_info(
            "features", TensorProto.FLOAT, ["batch", network.layers[0][0].shape[1]]
        )
    ]
    outputs = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, ["batch", network.layers[-1][0].shape[0]]
        )
    ]
    graph = helper.make_graph(nodes, f"allocation_{name}", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Train both heads, print the out-of-sample table, write the files."""
    data = market.load()
    fit, check, test = data.split()
    targets: dict[str, tuple[tuple[int, ...], Head, Array]] = {
        "weights": ((23, 32, 16, len(market.ASSETS)), "softmax", data.returns),
        "exposure": ((23, 16, 1), "sigmoid", data.market),
    }
    sizes = [rows.stop - rows.start for rows in (fit, check, test)]
    print("months: train {}, validation {}, test {}".format(*sizes))
    print(
        f"{'':18}{'certainty equivalent':>22}{'Sharpe':>8}   test, from {data.months[test.start]}"
    )
    for name, (widths, head, returns) in targets.items():
        network = train(
            Network.initialise(widths, head, np.random.default_rng(SEED)),
            data.features,
            returns,
            (fit, check),
        )
        equal = np.full_like(returns[test], 1.0 / returns.shape[1])
        for label, weights in (
            (name, network.weights(data.features[test])),
            ("  equal weights", equal),
        ):
            value, ratio = (
                certainty_equivalent(weights, returns[test]),
                sharpe(weights, returns[test]),
            )
            print(f"{label:18}{value:>22.2%}{ratio:>8.2f}")
        onnx.save(to_onnx(network, name), FOLDER / f"{name}.onnx")
    features = data.features.astype(np.float32)
    parts = {
        "calibration": features[fit],
        "test": features[fit.stop :],
        "question": features[-1:],
    }
    for part, chosen in parts.items():
        np.savez_compressed(FOLDER / f"{part}.npz", features=chosen)


def _sigmoid(values: Array) -> Array:
    bounded: Array = 1.0 / (1.0 + np.exp(-values))
    return bounded


def _softmax(values: Array) -> Array:
    powers: Array = np.exp(values - values.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


if __name__ == "__main__":
    main()
