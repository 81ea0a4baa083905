"""Normalisations, fused and written out, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import agrees, model, node, normals, ops

EPS = np.float32(1e-5)


def mean_nodes(form: str, axes: list[int], opset: int) -> tuple[list[Any], dict[str, Any]]:
    """LayerNorm without gain as exporters write it."""
    constants: dict[str, Any] = {
        "eps": np.array([EPS]),
        "two": np.float32(2),
        "zero": np.float32(0),
    }
    new = opset >= 18
    if new:
        constants["axes"] = np.array(axes, np.int64)

    def reduce(source: str, target: str) -> Any:
        if new:
            return node("ReduceMean", [source, "axes"], [target], keepdims=1)
        return node("ReduceMean", [source], [target], axes=axes, keepdims=1)

    square = (
        node("Pow", ["c", "two"], ["sq"])
        if form.startswith("pow")
        else node("Mul", ["c", "c"], ["sq"])
    )
    nodes = [reduce("x", "mean"), node("Sub", ["x", "mean"], ["c"]), square, reduce("sq", "var")]
    source = "var"
    if form.endswith("clamped"):
        nodes.append(node("Max", ["zero", "var"], ["cl"]))
        source = "cl"
    nodes += [node("Add", [source, "eps"], ["ve"]), node("Sqrt", ["ve"], ["sd"])]
    if "reciprocal" in form:
        nodes += [node("Reciprocal", ["sd"], ["r"]), node("Mul", ["r", "c"], ["n"])]
    else:
        nodes.append(node("Div", ["c", "sd"], ["n"]))
    return nodes, constants


@pytest.mark.parametrize(
    "form", ["pow", "mul", "mul reciprocal", "pow clamped", "mul reciprocal clamped"]
)
@pytest.mark.parametrize("opset", [13, 17, 18, 21])
@pytest.mark.parametrize("axis", [-1, 1])
def test_written_out_layer_norm_is_recognised(form: str, opset: int, axis: int) -> None:
    axes = [axis if axis >= 0 or opset >= 18 else 2]
    nodes, constants = mean_nodes(form, axes, opset)
    shape = [1, 1, 6] if axis == -1 else [1, 5, 1]
    rng = np.random.default_rng(3)
    constants |= {"g": normals(rng, *shape), "b": normals(rng, *shape)}
    nodes += [node("Mul", ["n", "g"], ["ng"]), node("Add", ["ng", "b"], ["y"])]
    graph = agrees(model(nodes, {"x": [1, 5, 6]}, constants=constants, opset=opset))
    found = ops(graph)
    assert found["LayerNorm"] == found["Affine"] == 1
    assert set(found) <= {"LayerNorm", "Affine", "Transpose"}
    norm = next(n for n in graph.nodes if n.op == "LayerNorm")
    assert norm.attrs["centered"] == 1
    assert norm.attrs["epsilon"] == pytest.approx(1e-5, rel=1e-6)


def test_layer_norm_of_an_activation_function_is_recognised() -> None:
    nodes, constants = mean_nodes("mul", [2], 17)
    nodes[0].input[0] = nodes[1].input[0] = "act"
    nodes.insert(0, node("Tanh", ["x"], ["act"]))
    nodes[-1].output[0] = "y"
    graph = agrees(model(nodes, {"x": [1, 5, 6]}, constants=constants))
    assert ops(graph) == {"Unary": 1, "LayerNorm": 1}


def test_variance_as_mean_of_squares_minus_square_of_mean_is_recognised() -> None:
    constants = {
        "axes": np.array([1], np.int64), "inv": np.float32(1 / 6), "zero": np.float32(0),
        "eps": np.float32(1e-6), "shape": np.array([1, 1, 4], np.int64),
        "g": normals(np.random.default_rng(0), 1, 6, 1),
    }  # fmt: skip
    nodes = [
        node("ReduceSum", ["x", "axes"], ["s"], keepdims=0),
        node("Mul", ["s", "inv"], ["m"]),
        node("Mul", ["x", "x"], ["xx"]),
        node("ReduceSum", ["xx", "axes"], ["ss"], keepdims=0),
        node("Mul", ["ss", "inv"], ["e2"]),
        node("Mul", ["m", "m"], ["mm"]),
        node("Sub", ["e2", "mm"], ["v0"]),
        node("Max", ["zero", "v0"], ["v"]),
        node("Reshape", ["v", "shape"], ["v1"]),
        node("Reshape", ["m", "shape"], ["m1"]),
        node("Add", ["v1", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["sd"]),
        node("Reciprocal", ["sd"], ["r"]),
        node("Mul", ["r", "g"], ["rg"]),
        node("Sub", ["x", "m1"], ["c"]),
        node("Mul", ["c", "rg"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 6, 4]}, constants=constants))
    assert ops(graph) == {"LayerNorm": 1, "Affine": 1, "Transpose": 2}


@pytest.mark.parametrize("axis", [-1, 1, -2])
def test_fused_layer_norm_agrees(axis: int) -> None:
    shape = (5, 6) if axis != -1 else (6,)
    rng = np.random.default_rng(5)
    constants = {"g": normals(rng, *shape), "b": normals(rng, *shape)}
    nodes = [node("LayerNormalization", ["x", "g", "b"], ["y"], axis=axis, epsilon=1e-3)]
    assert ops(agrees(model(nodes, {"x": [1, 5, 6]}, constants=constants)))["LayerNorm"] == 1


def test_rms_norm_written_out_and_fused_agree() -> None:
    rng = np.random.default_rng(5)
    constants = {"g": normals(rng, 6), "eps": np.float32(1e-4), "two": np.float32(2)}
    nodes = [
        node("Pow", ["x", "two"], ["sq"]),
        node("ReduceMean", ["sq"], ["m"], axes=[-1]),
        node("Add", ["m", "eps"], ["me"]),
        node("Sqrt", ["me"], ["r"]),
        node("Div", ["x", "r"], ["n"]),
        node("Mul", ["n", "g"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 5, 6]}, constants=constants))
    assert ops(graph) == {"LayerNorm": 1, "Affine": 1}
    fused = [node("RMSNormalization", ["x", "g"], ["y"], epsilon=1e-4)]
    graph = agrees(model(fused, {"x": [1, 5, 6]}, constants={"g": constants["g"]}, opset=23))
    assert graph.nodes[0].attrs["centered"] == 0


@pytest.mark.parametrize("form", ["ReduceL2", "written", "LpNormalization"])
def test_l2_normalisation_becomes_an_rms_norm(form: str) -> None:
    constants: dict[str, Any] = {"tiny": np.float32(1e-12)}
    if form == "LpNormalization":
        nodes = [node("LpNormalization", ["x"], ["y"], axis=1, p=2)]
    else:
        nodes = [node("ReduceL2", ["x"], ["n"], axes=[1], keepdims=1)]
        if form == "written":
            constants["one"] = np.array([1], np.int64)
            nodes = [
                node("Mul", ["x", "x"], ["xx"]),
                node("ReduceSum", ["xx", "one"], ["s"]),
                node("Sqrt", ["s"], ["n"]),
            ]
        nodes += [node("Clip", ["n", "tiny"], ["c"]), node("Div", ["x", "c"], ["y"])]
    graph = agrees(model(nodes, {"x": [1, 7]}, constants=constants))
    assert ops(graph) == {"LayerNorm": 1, "Affine": 1}
    assert graph.nodes[0].attrs["centered"] == 0
    assert graph.nodes[0].attrs["epsilon"] < 1e-20


def test_batch_norm_folds_into_the_convolution() -> None:
    rng = np.random.default_rng(2)
    constants = {"w": normals(rng, 4, 3, 3, 3), "s": normals(rng, 4), "b": normals(rng, 4),
                 "m": normals(rng, 4), "v": np.abs(normals(rng, 4)) + 0.1}  # fmt: skip
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-3),
        node("Relu", ["n"], ["y"]),
    ]
    assert ops(agrees(model(nodes, {"x": [1, 3, 6, 6]}, constants=constants))) == {
        "Conv": 1,
        "Unary": 1,
    }


def test_instance_norm_and_group_norm_agree() -> None:
    rng = np.random.default_rng(2)
    constants = {"s": normals(rng, 4), "b": normals(rng, 4)}
    instance = [node("InstanceNormalization", ["x", "s", "b"], ["y"])]
    assert ops(agrees(model(instance, {"x": [1, 4, 3, 5]}, constants=constants)))["LayerNorm"] == 1
    group = [node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2)]
    graph = agrees(model(group, {"x": [1, 4, 3, 5]}, constants=constants, opset=21))
    assert ops(graph)["LayerNorm"] == 1


def test_mean_variance_normalisation_agrees() -> None:
    agrees(model([node("MeanVarianceNormalization", ["x"], ["y"])], {"x": [1, 3, 4, 4]}))


def test_standardisation_with_the_unbiased_variance_agrees() -> None:
    constants = {"k": np.float32(1 / 5), "eps": np.float32(1e-6), "axis": np.array([1], np.int64)}
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[1]),
        node("Sub", ["x", "m"], ["c"]),
        node("Mul", ["c", "c"], ["cc"]),
        node("ReduceSum", ["cc", "axis"], ["s"]),
        node("Mul", ["s", "k"], ["v"]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["sd"]),
        node("Div", ["c", "sd"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 6]}, constants=constants))
    assert ops(graph) == {"LayerNorm": 1, "Affine": 1}


def test_division_by_something_else_is_not_taken_for_a_norm() -> None:
    # The divisor comes from another tensor: a LayerNorm here would be wrong.
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[1]),
        node("Sub", ["x", "m"], ["c"]),
        node("Mul", ["z", "z"], ["zz"]),
        node("ReduceMean", ["zz"], ["v"], axes=[1]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["sd"]),
        node("Div", ["c", "sd"], ["y"]),
    ]
    proto = model(nodes, {"x": [1, 6], "z": [1, 6]}, constants={"eps": np.float32(0.1)})
    assert "LayerNorm" not in ops(agrees(proto))


def test_mean_over_another_axis_is_not_taken_for_a_norm() -> None:
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[1]),
        node("Sub", ["x", "m"], ["c"]),
        node("Mul", ["c", "c"], ["cc"]),
        node("ReduceMean", ["cc"], ["v"], axes=[2]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["sd"]),
        node("Div", ["c", "sd"], ["y"]),
    ]
    proto = model(nodes, {"x": [1, 6, 6]}, constants={"eps": np.float32(0.1)})
    graph = agrees(proto)
    assert all(n.attrs["centered"] == 0 for n in graph.nodes if n.op == "LayerNorm")


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_fused_softmax_agrees(axis: int, opset: int) -> None:
    nodes = [node("Mul", ["x", "c"], ["s"]), node("Softmax", ["s"], ["y"], axis=axis)]
    graph = agrees(model(nodes, {"x": [1, 4, 6]}, constants={"c": np.float32(0.37)}, opset=opset))
    softmax = next(n for n in graph.nodes if n.op == "Softmax")
    assert softmax.attrs["scale"] == pytest.approx(0.37)
    assert ops(graph)["Unary"] == 0


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("maximum", ["none", "plain", "infinity"])
def test_written_out_softmax_is_recognised(maximum: str, keepdims: int) -> None:
    constants = {"axis": np.array([1], np.int64), "ninf": np.float32(-np.inf),
                 "shape": np.array([1, 1], np.int64)}  # fmt: skip
    nodes = []
    source = "x"
    if maximum != "none":
        nodes.append(node("ReduceMax", ["x"], ["m0"], axes=[1], keepdims=keepdims))
        if maximum == "infinity":
            nodes.append(node("Max", ["ninf", "m0"], ["m1"]))
        nodes.append(node("Reshape", ["m1" if maximum == "infinity" else "m0", "shape"], ["m"]))
        nodes.append(node("Sub", ["x", "m"], ["c"]))
        source = "c"
    nodes += [
        node("Exp", [source], ["e"]),
        node("ReduceSum", ["e", "axis"], ["s0"], keepdims=keepdims),
        node("Reshape", ["s0", "shape"], ["s"]),
        node("Div", ["e", "s"], ["y"]),
    ]
    assert ops(agrees(model(nodes, {"x": [1, 9]}, constants=constants))) == {"Softmax": 1}


@pytest.mark.parametrize("axis", [-1, 1])
def test_log_softmax_and_log_sum_exp_agree(axis: int) -> None:
    agrees(model([node("LogSoftmax", ["x"], ["y"], axis=axis)], {"x": [1, 4, 6]}))
    agrees(model([node("ReduceLogSumExp", ["x"], ["y"], axes=[axis])], {"x": [1, 4, 6]}))
