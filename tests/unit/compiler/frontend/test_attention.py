"""Attention and its masks, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import (
    BOOL,
    INT64,
    agrees,
    graph_of,
    model,
    node,
    normals,
    ops,
)
from veridical.errors import CompileError, UnsupportedOpError

LENGTH, HEADS, WIDTH = 6, 2, 4


def padded(seed: int = 4) -> np.ndarray[Any, Any]:
    """Masks with at least one token, some with padding."""
    lengths = np.random.default_rng(seed).integers(1, LENGTH + 1, 5)
    return (np.arange(LENGTH) < lengths[:, None]).astype(np.int64)[:, None]


def mask_nodes(form: str) -> tuple[list[Any], dict[str, Any]]:
    """The additive term of a padding mask, as exporters write it."""
    constants: dict[str, Any] = {"axes": np.array([1, 2], np.int64)}
    nodes = [node("Unsqueeze", ["mask", "axes"], ["m4"])]
    if form == "subtract":
        constants |= {"one": np.float32(1), "big": np.float32(-10000.0)}
        nodes += [
            node("Cast", ["m4"], ["mf"], to=1),
            node("Sub", ["one", "mf"], ["inv"]),
            node("Mul", ["inv", "big"], ["term"]),
        ]
    elif form == "where":
        constants |= {"zero": np.int64(0), "low": np.float32(-3.4028235e38), "none": np.float32(0)}
        nodes += [
            node("Equal", ["m4", "zero"], ["cond"]),
            node("Where", ["cond", "low", "none"], ["term"]),
        ]
    else:  # the newer form: expanded to a square, combined with a causal mask
        square = np.triu(np.full((LENGTH, LENGTH), -np.inf, np.float32), 1)[None, None]
        constants |= {
            "shape": np.array([1, 1, LENGTH, LENGTH], np.int64), "one": np.float32(1),
            "low": np.float32(-3.4028235e38), "causal": square, "zero": np.float32(0),
        }  # fmt: skip
        nodes += [
            node("Expand", ["m4", "shape"], ["wide"]),
            node("Cast", ["wide"], ["mf"], to=1),
            node("Sub", ["one", "mf"], ["inv"]),
            node("Cast", ["inv"], ["drop"], to=9),
            node("Where", ["drop", "low", "inv"], ["term"]),
        ]
    return nodes, constants


@pytest.mark.parametrize("form", ["subtract", "where", "expanded"])
@pytest.mark.parametrize("softmax", ["fused", "written"])
def test_padding_mask_becomes_an_operand_of_softmax(form: str, softmax: str) -> None:
    nodes, constants = mask_nodes(form)
    constants |= {"root": np.float32(WIDTH**0.5), "last": np.array([-1], np.int64)}
    nodes += [
        node("MatMul", ["q", "k"], ["scores"]),
        node("Div", ["scores", "root"], ["scaled"]),
        node("Add", ["scaled", "term"], ["masked"]),
    ]
    if softmax == "fused":
        nodes.append(node("Softmax", ["masked"], ["y"], axis=-1))
    else:
        nodes += [
            node("ReduceMax", ["masked"], ["top"], axes=[-1]),
            node("Sub", ["masked", "top"], ["less"]),
            node("Exp", ["less"], ["e"]),
            node("ReduceSum", ["e", "last"], ["s"]),
            node("Div", ["e", "s"], ["y"]),
        ]
    proto = model(
        nodes,
        {
            "q": [1, HEADS, LENGTH, WIDTH],
            "k": [1, HEADS, WIDTH, LENGTH],
            "mask": (INT64, [1, LENGTH]),
        },
        constants=constants,
    )
    graph = agrees(proto, samples={"mask": padded()}, integer_ranges={"mask": (0, 1)})
    softmaxes = [n for n in graph.nodes if n.op == "Softmax"]
    assert len(softmaxes) == 1
    assert len(softmaxes[0].inputs) == 2
    assert softmaxes[0].inputs[1] in graph.integers
    assert softmaxes[0].attrs["scale"] == pytest.approx(0.5)
    assert ops(graph)["Unary"] == 0


def test_range_of_a_mask_must_be_declared() -> None:
    nodes, constants = mask_nodes("where")
    nodes += [node("Add", ["x", "term"], ["masked"]), node("Softmax", ["masked"], ["y"])]
    inputs: dict[str, Any] = {"x": [1, 1, 1, LENGTH], "mask": (INT64, [1, LENGTH])}
    with pytest.raises(CompileError, match="range of integer input 'mask'") as caught:
        graph_of(model(nodes, inputs, constants=constants))
    assert "integer_ranges" in (caught.value.advice or "")


@pytest.mark.parametrize("low", [-np.inf, -1e9, -3.4028235e38])
def test_causal_constant_mask_agrees(low: float) -> None:
    mask = np.triu(np.full((LENGTH, LENGTH), low, np.float32), 1)
    nodes = [node("Add", ["x", "mask"], ["m"]), node("Softmax", ["m"], ["y"])]
    proto = model(nodes, {"x": [1, HEADS, LENGTH, LENGTH]}, constants={"mask": mask})
    graph = agrees(proto)
    assert len(next(n for n in graph.nodes if n.op == "Softmax").inputs) == 2


def test_causal_and_padding_masks_join() -> None:
    nodes, constants = mask_nodes("where")
    constants["causal"] = np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1)
    nodes += [
        node("Add", ["x", "causal"], ["a"]),
        node("Add", ["a", "term"], ["b"]),
        node("Softmax", ["b"], ["y"]),
    ]
    inputs: dict[str, Any] = {"x": [1, HEADS, LENGTH, LENGTH], "mask": (INT64, [1, LENGTH])}
    agrees(model(nodes, inputs, constants=constants), samples={"mask": padded()},
           integer_ranges={"mask": (0, 1)})  # fmt: skip


@pytest.mark.parametrize("boolean", ["input", "constant"])
def test_masked_fill_agrees(boolean: str) -> None:
    constants: dict[str, Any] = {"low": np.float32(-1e9)}
    inputs: dict[str, Any] = {"x": [1, HEADS, LENGTH, LENGTH]}
    samples = {}
    if boolean == "constant":
        constants["drop"] = np.triu(np.ones((LENGTH, LENGTH), bool), 1)
    else:
        inputs["drop"] = (BOOL, [1, 1, 1, LENGTH])
        samples["drop"] = padded()[:, None, None] == 0
    nodes = [node("Where", ["drop", "low", "x"], ["m"]), node("Softmax", ["m"], ["y"])]
    agrees(model(nodes, inputs, constants=constants), samples=samples)


def test_outer_product_of_masks_agrees() -> None:
    constants: dict[str, Any] = {
        "a1": np.array([1, 2], np.int64), "a2": np.array([1, 3], np.int64),
        "one": np.float32(1), "big": np.float32(-1e4),
    }  # fmt: skip
    nodes = [
        node("Unsqueeze", ["mask", "a1"], ["row"]),
        node("Unsqueeze", ["mask", "a2"], ["column"]),
        node("Mul", ["row", "column"], ["both"]),
        node("Cast", ["both"], ["f"], to=1),
        node("Sub", ["one", "f"], ["inv"]),
        node("Mul", ["inv", "big"], ["term"]),
        node("Add", ["x", "term"], ["m"]),
        node("Softmax", ["m"], ["y"]),
    ]
    inputs: dict[str, Any] = {"x": [1, HEADS, LENGTH, LENGTH], "mask": (INT64, [1, LENGTH])}
    agrees(model(nodes, inputs, constants=constants),
           samples={"mask": np.ones((2, 1, LENGTH), np.int64)},
           integer_ranges={"mask": (0, 1)})  # fmt: skip


def test_mask_that_no_softmax_reads_is_named() -> None:
    constants = {"mask": np.array([0, -1e9, 0], np.float32)}
    with pytest.raises(UnsupportedOpError, match="does not end in a Softmax"):
        graph_of(model([node("Add", ["x", "mask"], ["y"])], {"x": [1, 3]}, constants=constants))


@pytest.mark.parametrize("expanded", [True, False])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_masked_mean_becomes_a_weighted_mean(expanded: bool, keepdims: int) -> None:
    constants: dict[str, Any] = {
        "last": np.array([-1], np.int64), "one": np.array([1], np.int64),
        "tiny": np.float32(1e-9), "shape": np.array([1, LENGTH, WIDTH], np.int64),
    }  # fmt: skip
    nodes = [node("Unsqueeze", ["mask", "last"], ["m3"]), node("Cast", ["m3"], ["mf"], to=1)]
    if expanded:
        nodes.append(node("Expand", ["mf", "shape"], ["mw"]))
    weights = "mw" if expanded else "mf"
    nodes += [
        node("Mul", ["h", weights], ["hm"]),
        node("ReduceSum", ["hm", "one"], ["s"], keepdims=keepdims),
        node("ReduceSum", [weights, "one"], ["n"], keepdims=keepdims),
        node("Clip", ["n", "tiny"], ["c"]),
        node("Div", ["s", "c"], ["y"]),
    ]
    inputs: dict[str, Any] = {"h": [1, LENGTH, WIDTH], "mask": (INT64, [1, LENGTH])}
    graph = agrees(model(nodes, inputs, constants=constants), samples={"mask": padded()},
                   integer_ranges={"mask": (0, 1)})  # fmt: skip
    assert set(ops(graph)) <= {"WeightedMean", "Reshape"}


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("flat", [True, False])
def test_fused_attention_agrees(causal: int, kv_heads: int, flat: bool) -> None:
    heads = 4
    attrs: dict[str, Any] = {"is_causal": causal}
    inputs: dict[str, Any]
    if flat:
        attrs |= {"q_num_heads": heads, "kv_num_heads": kv_heads}
        inputs = {"q": [1, LENGTH, heads * WIDTH], "k": [1, LENGTH, kv_heads * WIDTH],
                  "v": [1, LENGTH, kv_heads * WIDTH]}  # fmt: skip
    else:
        inputs = {"q": [1, heads, LENGTH, WIDTH], "k": [1, kv_heads, LENGTH, WIDTH],
                  "v": [1, kv_heads, LENGTH, WIDTH]}  # fmt: skip
    graph = agrees(model([node("Attention", ["q", "k", "v"], ["y"], **attrs)], inputs, opset=23))
    assert ops(graph)["Softmax"] == 1


@pytest.mark.parametrize("kind", ["bool", "float", "input"])
def test_fused_attention_with_a_mask_agrees(kind: str) -> None:
    shape = [1, HEADS, LENGTH, WIDTH]
    inputs: dict[str, Any] = {"q": shape, "k": shape, "v": shape}
    constants, samples = {}, {}
    keep = np.tril(np.ones((LENGTH, LENGTH), bool))
    if kind == "bool":
        constants["m"] = keep
    elif kind == "float":
        constants["m"] = np.where(keep, 0, -1e9).astype(np.float32)
    else:
        inputs["m"] = (BOOL, [1, 1, LENGTH, LENGTH])
        samples["m"] = np.stack([keep, np.ones_like(keep)])[:, None, None]
    nodes = [node("Attention", ["q", "k", "v", "m"], ["y"], scale=0.3, softcap=2.0)]
    agrees(model(nodes, inputs, constants=constants, opset=23), samples=samples)


def test_transformer_block_with_a_shared_scale_agrees() -> None:
    r = np.random.default_rng(9)
    width = HEADS * WIDTH
    constants: dict[str, Any] = {
        **{name: normals(r, width, width) * 0.3 for name in ("wq", "wk", "wv", "wo")},
        **{name: normals(r, width) for name in ("bq", "bk", "bv")},
        "split": np.array([1, LENGTH, HEADS, WIDTH], np.int64),
        "join": np.array([0, 0, -1], np.int64),
        "scale": np.array([0.25], np.float32),
    }
    nodes = []
    for name in "qkv":
        perm = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
        nodes += [
            node("MatMul", ["x", f"w{name}"], [f"{name}0"]),
            node("Add", [f"b{name}", f"{name}0"], [f"{name}1"]),
            node("Reshape", [f"{name}1", "split"], [f"{name}2"]),
            node("Transpose", [f"{name}2"], [f"{name}3"], perm=perm),
        ]
    nodes += [
        node("MatMul", ["q3", "k3"], ["s0"]),
        node("Mul", ["s0", "scale"], ["s1"]),
        node("Softmax", ["s1"], ["p"], axis=-1),
        node("MatMul", ["p", "v3"], ["o0"]),
        node("Transpose", ["o0"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "join"], ["o2"]),
        node("MatMul", ["o2", "wo"], ["o3"]),
        node("Add", ["x", "o3"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": ["batch", LENGTH, width]}, constants=constants))
    assert ops(graph) == {
        "Linear": 4, "Reshape": 4, "Transpose": 4, "MatMul": 2, "Softmax": 1, "Add": 1,
    }  # fmt: skip
