"""Elementwise operators and their fusion, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import agrees, graph_of, model, node, normals, ops
from veridical.errors import UnsupportedOpError

UNARY: dict[str, dict[str, Any]] = {
    "Abs": {}, "Neg": {}, "Exp": {}, "Erf": {}, "Tanh": {}, "Sigmoid": {}, "Softplus": {},
    "Softsign": {}, "Relu": {}, "Floor": {}, "Ceil": {}, "Round": {}, "Sign": {}, "Sin": {},
    "Cos": {}, "Sinh": {}, "Cosh": {}, "Atan": {}, "HardSwish": {}, "Identity": {},
    "LeakyRelu": {"alpha": 0.2}, "Elu": {"alpha": 1.5}, "Selu": {}, "Celu": {"alpha": 0.7},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4}, "ThresholdedRelu": {"alpha": 0.5},
    "Shrink": {"lambd": 0.3, "bias": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("op", sorted(UNARY))
def test_unary_operator_agrees(op: str) -> None:
    agrees(model([node(op, ["x"], ["y"], **UNARY[op])], {"x": [1, 50]}))


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_unary_operator_on_positive_numbers_agrees(op: str) -> None:
    nodes = [node("Abs", ["x"], ["a"]), node("Add", ["a", "c"], ["b"]), node(op, ["b"], ["y"])]
    graph = agrees(model(nodes, {"x": [1, 50]}, constants={"c": np.float32(0.1)}))
    assert ops(graph) == {"Unary": 1}


@pytest.mark.parametrize("opset", range(13, 24))
def test_operators_agree_at_every_opset(opset: int) -> None:
    nodes = [
        node("Add", ["x", "c"], ["a"]),
        node("Clip", ["a", "", "six"], ["b"]),
        node("Unsqueeze", ["b", "axis"], ["u"]),
        node("Squeeze", ["u", "axis"], ["s"]),
        node("ReduceSum", ["s", "axis"], ["r"], keepdims=1),
        node("Mul", ["s", "r"], ["m"]),
        node("Softmax", ["m"], ["p"], axis=1),
        node("Gemm", ["p", "w", "bias"], ["y"], transB=1),
    ]
    rng = np.random.default_rng(opset)
    constants = {
        "c": np.float32(3.0),
        "six": np.float32(6.0),
        "axis": np.array([1], np.int64),
        "w": normals(rng, 4, 9),
        "bias": normals(rng, 4),
    }
    agrees(model(nodes, {"x": ["N", 9]}, constants=constants, opset=opset))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_fused_gelu_agrees(approximate: str) -> None:
    graph = agrees(
        model([node("Gelu", ["x"], ["y"], approximate=approximate)], {"x": [1, 64]}, opset=20)
    )
    assert ops(graph) == {"Unary": 1}


def test_written_out_gelu_becomes_one_function() -> None:
    nodes = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["f"]),
        node("Mul", ["x", "f"], ["g"]),
        node("Mul", ["half", "g"], ["y"]),
    ]
    constants = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    assert ops(agrees(model(nodes, {"x": [1, 64]}, constants=constants))) == {"Unary": 1}


def test_written_out_tanh_gelu_with_constants_first_becomes_one_function() -> None:
    nodes = [
        node("Mul", ["c1", "x"], ["a"]),
        node("Mul", ["x", "a"], ["b"]),
        node("Mul", ["x", "b"], ["c"]),
        node("Add", ["x", "c"], ["d"]),
        node("Mul", ["c2", "d"], ["e"]),
        node("Tanh", ["e"], ["f"]),
        node("Add", ["one", "f"], ["g"]),
        node("Mul", ["half", "g"], ["h"]),
        node("Mul", ["x", "h"], ["y"]),
    ]
    constants = {
        "c1": np.float32(0.044715),
        "c2": np.float32(0.79788458),
        "one": np.ones((1, 1, 1), np.float32),
        "half": np.float32(0.5),
    }
    assert ops(agrees(model(nodes, {"x": [1, 8, 8]}, constants=constants))) == {"Unary": 1}


def test_silu_and_hard_swish_become_one_function() -> None:
    nodes = [
        node("Sigmoid", ["x"], ["s"]),
        node("Mul", ["x", "s"], ["a"]),
        node("Add", ["a", "three"], ["b"]),
        node("Clip", ["b", "zero", "six"], ["c"]),
        node("Mul", ["a", "c"], ["d"]),
        node("Div", ["d", "six"], ["y"]),
    ]
    constants = {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}
    assert ops(agrees(model(nodes, {"x": [1, 64]}, constants=constants))) == {"Unary": 1}


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("shapes", [([1, 3, 4], [1, 3, 4]), ([1, 3, 4], [4]), ([1, 3, 1], [1, 4])])
def test_two_activations_agree(op: str, shapes: tuple[list[int], list[int]]) -> None:
    nodes = [node("Exp", ["b"], ["e"]), node(op, ["a", "e"], ["y"])]
    agrees(model(nodes, {"a": shapes[0], "b": shapes[1]}))


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("first", [True, False])
def test_constant_operand_of_any_shape_agrees(op: str, first: bool) -> None:
    rng = np.random.default_rng(7)
    for shape in [(), (1,), (4,), (3, 1), (2, 1, 4), (2, 3, 4)]:
        constant = np.abs(normals(rng, *shape)) + np.float32(0.5)
        nodes = [node("Exp", ["x"], ["e"])]
        operands = ["c", "e"] if first else ["e", "c"]
        nodes.append(node(op, operands, ["y"]))
        agrees(model(nodes, {"x": [1, 3, 4]}, constants={"c": constant}))


def test_constant_that_broadcasts_the_activation_agrees() -> None:
    rng = np.random.default_rng(8)
    constants = {"c": normals(rng, 5, 1, 4)}
    agrees(model([node("Add", ["x", "c"], ["y"])], {"x": [1, 3, 1]}, constants=constants))


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -1.0, -0.5, 1.7, -2.0])
def test_pow_agrees(exponent: float) -> None:
    nodes = [
        node("Abs", ["x"], ["a"]),
        node("Add", ["a", "c"], ["b"]),
        node("Pow", ["b", "p"], ["y"]),
    ]
    constants = {"p": np.float32(exponent), "c": np.float32(0.2)}
    agrees(model(nodes, {"x": [1, 40]}, constants=constants))


def test_variadic_sum_mean_max_min_agree() -> None:
    for op in ("Sum", "Mean", "Max", "Min"):
        agrees(model([node(op, ["a", "b", "c"], ["y"])], {"a": [1, 6], "b": [1, 6], "c": [6]}))


def test_prelu_agrees() -> None:
    constants = {"s": np.array([[0.1], [0.3], [-0.2]], np.float32)}
    agrees(model([node("PRelu", ["x", "s"], ["y"])], {"x": [1, 3, 5]}, constants=constants))
    scalar = {"s": np.array([0.25], np.float32)}
    agrees(model([node("PRelu", ["x", "s"], ["y"])], {"x": [1, 3, 5]}, constants=scalar))


def test_comparison_and_where_agree() -> None:
    nodes = [
        node("Greater", ["x", "c"], ["g"]),
        node("Not", ["g"], ["n"]),
        node("Where", ["n", "x", "z"], ["y"]),
    ]
    agrees(model(nodes, {"x": [1, 30], "z": [1, 30]}, constants={"c": np.float32(0.2)}))


def test_where_with_constant_condition_agrees() -> None:
    constants = {"k": np.array([True, False, True, True])}
    agrees(model([node("Where", ["k", "x", "z"], ["y"])], {"x": [1, 4], "z": [1, 4]},
                 constants=constants))  # fmt: skip


def test_fake_quantisation_becomes_one_function() -> None:
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    constants = {"s": np.float32(0.02), "z": np.uint8(3)}
    graph = agrees(model(nodes, {"x": [1, 64]}, constants=constants), tolerance=1e-5)
    assert ops(graph) == {"Unary": 1}


def test_a_long_chain_does_not_grow_without_end() -> None:
    nodes = [node("Tanh", ["x"], ["v0"])]
    nodes += [node("Mul", [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(40)]
    proto = model([*nodes, node("Identity", ["v40"], ["y"])], {"x": [1, 4]})
    graph = graph_of(proto)
    assert max(n.attrs["fn"].size for n in graph.nodes) < 1000


def test_power_of_two_activations_is_named() -> None:
    with pytest.raises(UnsupportedOpError, match="both operands") as caught:
        graph_of(model([node("Pow", ["a", "b"], ["y"], name="p")], {"a": [1, 3], "b": [1, 3]}))
    assert (caught.value.node, caught.value.op) == ("p", "Pow")
