"""The models that are measured, and a family of MLPs for the plot of overhead against width."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benches.zk.environments import CACHE
from examples.zoo import ModelCase, Target, zoo

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from examples.zoo import Samples

Kind = Literal["veridical", "ezkl", "dsperse"]
KINDS: tuple[Kind, ...] = ("veridical", "ezkl", "dsperse")

WIDTHS = (32, 64, 128, 256, 512, 1024)
WIDTH_LAYERS = 3
# A peer that takes minutes for one point adds nothing to a plot that has three of it already.
MAX_WIDTH = {"ezkl": 128, "dsperse": 512}
OPSET = 13
NUM_SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model, who can prove it, and what a peer has to be told about it."""

    case: ModelCase
    kinds: tuple[Kind, ...] = KINDS
    width: int | None = None
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Options of a driver, by kind."""
    notes: dict[str, str] = field(default_factory=dict)


# EZKL chooses 11 to 13 bits for the other models. For these two the scale is forced down to bound
# the rows of the circuit; that flatters the peer's time and memory, at the cost of its error.
FORCED_SCALES = {"mlp1m": 7, "tblock": 10}
SIX = ("alloc_softmax", "tiny_sigmoid", "mlp100k", "lenet", "mlp1m", "tblock")
OURS_ONLY = ("minilm", "textdirection", "filetype")


@cache
def entries() -> dict[str, Entry]:
    """Return every model by name, in the order in which they are measured."""
    cases = zoo()
    found = {name: _compared(cases[name]) for name in SIX}
    found |= {name: Entry(case=cases[name], kinds=("veridical",)) for name in OURS_ONLY}
    found |= {entry.case.name: entry for entry in map(_wide, WIDTHS)}
    return found


def _compared(case: ModelCase) -> Entry:
    scale = FORCED_SCALES.get(case.name)
    if scale is None:
        return Entry(case=case)
    return Entry(
        case=case,
        options={"ezkl": {"scale": scale}},
        notes={"ezkl": f"scale forced to {scale} bits, coarser than its calibration would choose"},
    )


def _wide(width: int) -> Entry:
    name = f"width{width}"
    kinds = tuple(kind for kind in KINDS if width <= MAX_WIDTH.get(kind, width))
    case = ModelCase(
        name=name,
        path=lambda: _wide_model(width),
        samples=lambda: _wide_samples(width),
        target=Target(metric="cosine", at_least=0.999),
    )
    return Entry(case=case, kinds=kinds, width=width)


def _wide_model(width: int) -> Path:
    """Write an MLP of equal layers, its weights drawn so that activations keep their size."""
    path = CACHE / "models" / f"width{width}.onnx"
    if path.exists():
        return path
    rng = np.random.default_rng(width)
    nodes, tensors, value = [], [], "input"
    for i_layer in range(WIDTH_LAYERS):
        weight, bias = f"w{i_layer}", f"b{i_layer}"
        scale = np.sqrt(2.0 / width)
        drawn = {
            weight: rng.normal(0.0, scale, (width, width)),
            bias: rng.normal(0.0, 0.1, width),
        }
        tensors += [
            numpy_helper.from_array(array.astype(np.float32), name) for name, array in drawn.items()
        ]
        is_last = i_layer == WIDTH_LAYERS - 1
        out = "output" if is_last else f"h{i_layer}"
        nodes.append(helper.make_node("Gemm", [value, weight, bias], [out]))
        value = out
        if not is_last:
            value = f"a{i_layer}"
            nodes.append(helper.make_node("Relu", [out], [value]))
    ends = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
        for name in ("input", "output")
    )
    source, target = ends
    graph = helper.make_graph(nodes, f"width{width}", [source], [target], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def _wide_samples(width: int) -> tuple[Samples, Samples]:
    rng = np.random.default_rng(width + 1)
    calibration = rng.uniform(-1.0, 1.0, (NUM_SAMPLES, width)).astype(np.float32)
    calibration[0, :2] = -1.0, 1.0  # no test value lies outside
    test = rng.uniform(-1.0, 1.0, (NUM_SAMPLES, width)).astype(np.float32)
    return {"input": calibration}, {"input": test}


def rewrite_relu(source: Path, target: Path) -> int:
    """Write the model with every Relu as Max(x, 0), and return how many there were.

    DSperse knows the operator as "ReLU", which is not its name in ONNX: as "Relu" it is run but
    not proved, without a warning.
    """
    model = onnx.load(source)
    zero = "veridical_zero"
    replaced = [node for node in model.graph.node if node.op_type == "Relu"]
    for node in replaced:
        node.op_type = "Max"
        node.input.append(zero)
    if replaced:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), zero))
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return len(replaced)


def flat_rows(samples: Samples, count: int) -> list[list[float]]:
    """Return the first rows of the only input as the peers take them: flat lists of floats."""
    (array,) = samples.values()
    rows: NDArray[Any] = array[:count]
    return [[float(value) for value in row.reshape(-1)] for row in rows]
