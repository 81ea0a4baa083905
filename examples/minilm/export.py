"""Build the ONNX graph of all-MiniLM-L6-v2 from its safetensors weights.

Run: python -m examples.minilm.export [PATH]

| Tensor         | Type and shape           | Meaning                                          |
|----------------|--------------------------|--------------------------------------------------|
| input_ids      | int64 [1, sequence]      | word pieces, padded with 0                       |
| attention_mask | int64 [1, sequence]      | 1 for a token, 0 for padding                     |
| embedding      | float32 [1, 384]         | mean over the tokens, scaled to length 1         |

The graph has the form that exporters give a BERT: an additive mask, GELU from Erf, a bias that is
the first operand of Add. Token types are all 0 and are folded into the position table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from examples.carriers import CACHE, SENTENCE_WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEQUENCE = 128
WIDTH = 384
HEADS = 12
LAYERS = 6
EPSILON = 1e-12

LayerNorm = Literal["fused", "decomposed"]
Mask = Literal["additive", "where"]


@dataclass(slots=True)
class _Graph:
    """Nodes and initialisers under construction."""

    weights: dict[str, NDArray[np.float32]]
    layer_norm: LayerNorm
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's own
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:  # noqa: ANN401 - anything numpy takes
        if name not in self.tensors:
            array = np.asarray(value)
            floating = array.dtype.kind == "f"
            array = np.ascontiguousarray(array, dtype=np.float32 if floating else np.int64)
            self.tensors[name] = numpy_helper.from_array(array.reshape(np.shape(value)), name)
        return name

    def dense(self, value: str, name: str) -> str:
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("Add", bias, self.node("MatMul", value, weight))

    def norm(self, value: str, name: str) -> str:
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        shift = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        if self.layer_norm == "fused":
            return self.node("LayerNormalization", value, scale, shift, axis=-1, epsilon=EPSILON)
        centred = self.node("Sub", value, self.node("ReduceMean", value, axes=[-1]))
        square = self.node("Pow", centred, self.constant("two", 2.0))
        variance = self.node("ReduceMean", square, axes=[-1])
        deviation = self.node("Sqrt", self.node("Add", variance, self.constant("eps", EPSILON)))
        unit = self.node("Div", centred, deviation)
        return self.node("Add", self.node("Mul", unit, scale), shift)

    def gelu(self, value: str) -> str:
        error = self.node("Erf", self.node("Div", value, self.constant("sqrt2", np.sqrt(2.0))))
        doubled = self.node("Mul", value, self.node("Add", error, self.constant("one", 1.0)))
        return self.node("Mul", doubled, self.constant("half", 0.5))

    def attention(self, value: str, mask: str, name: str, sequence: int) -> str:
        split = self.constant("split", [1, sequence, HEADS, WIDTH // HEADS])
        query, key, content = (
            self.node("Reshape", self.dense(value, f"{name}.self.{part}"), split)
            for part in ("query", "key", "value")
        )
        query = self.node("Transpose", query, perm=[0, 2, 1, 3])
        key = self.node("Transpose", key, perm=[0, 2, 3, 1])
        content = self.node("Transpose", content, perm=[0, 2, 1, 3])
        root = self.constant("root", np.sqrt(WIDTH / HEADS))
        scores = self.node("Div", self.node("MatMul", query, key), root)
        shares = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        context = self.node("Transpose", self.node("MatMul", shares, content), perm=[0, 2, 1, 3])
        merged = self.node("Reshape", context, self.constant("merge", [1, sequence, WIDTH]))
        summed = self.node("Add", self.dense(merged, f"{name}.output.dense"), value)
        return self.norm(summed, f"{name}.output.LayerNorm")

    def layer(self, value: str, mask: str, name: str, sequence: int) -> str:
        attended = self.attention(value, mask, f"{name}.attention", sequence)
        hidden = self.gelu(self.dense(attended, f"{name}.intermediate.dense"))
        summed = self.node("Add", self.dense(hidden, f"{name}.output.dense"), attended)
        return self.norm(summed, f"{name}.output.LayerNorm")

    def additive_mask(self, kind: Mask) -> str:
        rows = self.node("Unsqueeze", "attention_mask", self.constant("rows", [1, 2]))
        if kind == "additive":
            kept = self.node("Cast", rows, to=TensorProto.FLOAT)
            dropped = self.node("Sub", self.constant("one", 1.0), kept)
            return self.node("Mul", dropped, self.constant("far", -10000.0))
        is_padding = self.node("Equal", rows, self.constant("zero", 0))
        lowest = self.constant("lowest", np.finfo(np.float32).min)
        return self.node("Where", is_padding, lowest, self.constant("nothing", 0.0))

    def pool(self, value: str) -> None:
        """Mean over the tokens, then length 1; the last node is `embedding`."""
        axis = self.constant("axis", [1])
        kept = self.node("Unsqueeze", "attention_mask", self.constant("last", [-1]))
        kept = self.node("Cast", kept, to=TensorProto.FLOAT)
        total = self.node("ReduceSum", self.node("Mul", value, kept), axis, keepdims=0)
        count = self.node("ReduceSum", kept, axis, keepdims=0)
        mean = self.node("Div", total, self.node("Clip", count, self.constant("few", 1e-9)))
        length = self.node("ReduceL2", mean, axes=[1], keepdims=1)
        length = self.node("Clip", length, self.constant("short", 1e-12))
        self.nodes.append(helper.make_node("Div", [mean, length], ["embedding"], name="embedding"))


def build(
    weights: dict[str, NDArray[np.float32]],
    *,
    sequence: int = SEQUENCE,
    layer_norm: LayerNorm = "fused",
    mask: Mask = "additive",
) -> onnx.ModelProto:
    """Return the checked ONNX model for one sequence length."""
    graph = _Graph(weights, layer_norm)
    positions = (
        weights["embeddings.position_embeddings.weight"][:sequence]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    looked_up = graph.node("Gather", words, "input_ids", axis=0)
    placed = graph.node("Add", looked_up, graph.constant("positions", positions[None]))
    value = graph.norm(placed, "embeddings.LayerNorm")
    added_mask = graph.additive_mask(mask)
    for i_layer in range(LAYERS):
        value = graph.layer(value, added_mask, f"encoder.layer.{i_layer}", sequence)
    graph.pool(value)

    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, sequence])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, WIDTH])]
    tensors = list(graph.tensors.values())
    proto = helper.make_graph(graph.nodes, "all_minilm_l6_v2", inputs, outputs, tensors)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def load_weights() -> dict[str, NDArray[np.float32]]:
    """Read the packaged weights."""
    weights: dict[str, NDArray[np.float32]] = load_file(SENTENCE_WEIGHTS.path())
    return weights


def cached(layer_norm: LayerNorm = "fused", mask: Mask = "additive") -> Path:
    """Return the path of a built variant, building it once."""
    path = CACHE / "minilm" / f"minilm_{layer_norm}_{mask}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        onnx.save(build(load_weights(), layer_norm=layer_norm, mask=mask), partial)
        partial.replace(path)
    return path


if __name__ == "__main__":
    if len(sys.argv) > 1:
        onnx.save(build(load_weights()), sys.argv[1])
        print(sys.argv[1])
    else:
        print(cached())
