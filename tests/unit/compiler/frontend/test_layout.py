"""Layout operators, folding of shape arithmetic, and the edges of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import (
    BOOL,
    FLOAT,
    INT64,
    agrees,
    graph_of,
    model,
    node,
    normals,
    ops,
)
from veridical.errors import CompileError, UnsupportedOpError


@pytest.mark.parametrize("opset", [11, 13])
def test_squeeze_and_unsqueeze_agree(opset: int) -> None:
    constants = {"a": np.array([1, -1], np.int64)} if opset >= 13 else {}
    if opset >= 13:
        nodes = [node("Unsqueeze", ["x", "a"], ["u"]), node("Squeeze", ["u", "a"], ["y"])]
    else:
        nodes = [
            node("Unsqueeze", ["x"], ["u"], axes=[1, 3]),
            node("Squeeze", ["u"], ["y"], axes=[1, 3]),
        ]
    nodes[-1].output[0] = "s"
    nodes.append(node("Relu", ["s"], ["y"]))
    graph = agrees(model(nodes, {"x": [1, 4]}, constants=constants, opset=opset))
    assert ops(graph) == {"Unary": 1}


def test_reshape_with_zero_and_minus_one_agrees() -> None:
    constants = {"s": np.array([0, 3, -1], np.int64)}
    agrees(model([node("Reshape", ["x", "s"], ["y"])], {"x": [1, 6, 4]}, constants=constants))


def test_flatten_transpose_and_expand_agree() -> None:
    constants = {"s": np.array([2, 1, 5], np.int64)}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("Expand", ["t", "s"], ["e"]),
        node("Flatten", ["e"], ["y"], axis=2),
    ]
    agrees(model(nodes, {"x": [1, 5, 4]}, constants=constants))


def test_slices_splits_and_concat_agree() -> None:
    constants = {
        "starts": np.array([1, -3], np.int64), "ends": np.array([2**40, -1], np.int64),
        "axes": np.array([2, 1], np.int64), "steps": np.array([2, 1], np.int64),
        "parts": np.array([1, 3], np.int64),
    }  # fmt: skip
    nodes = [
        node("Tanh", ["x"], ["t"]),
        node("Slice", ["t", "starts", "ends", "axes", "steps"], ["s"]),
        node("Split", ["t", "parts"], ["p", "q"], axis=1),
        node("Concat", ["q", "p", "t"], ["c"], axis=1),
        node("ReduceSum", ["s"], ["r"], keepdims=1),
        node("Add", ["c", "r"], ["y"]),
    ]
    agrees(model(nodes, {"x": [1, 4, 7]}, constants=constants))


def test_even_split_agrees() -> None:
    nodes = [node("Split", ["x"], ["a", "b", "c"], axis=1, num_outputs=3)]
    agrees(model(nodes, {"x": [1, 8]}, outputs=["a", "b", "c"], opset=18))


def test_slice_with_a_negative_step_is_named() -> None:
    constants = {"s": np.array([-1], np.int64), "e": np.array([-9], np.int64),
                 "a": np.array([1], np.int64), "t": np.array([-1], np.int64)}  # fmt: skip
    with pytest.raises(UnsupportedOpError, match="step -1"):
        graph_of(model([node("Slice", ["x", "s", "e", "a", "t"], ["y"])], {"x": [1, 4]},
                       constants=constants))  # fmt: skip


@pytest.mark.parametrize("pads", [[0, 1, 2, 0, 0, 3], [0, -1, 0, 0, 2, -2]])
def test_pad_agrees(pads: list[int]) -> None:
    constants = {"p": np.array(pads, np.int64), "v": np.float32(0.5)}
    agrees(model([node("Pad", ["x", "p", "v"], ["y"])], {"x": [1, 4, 6]}, constants=constants))


def test_reflecting_pad_is_named() -> None:
    constants = {"p": np.array([0, 1, 0, 1], np.int64)}
    with pytest.raises(UnsupportedOpError, match="'reflect'"):
        graph_of(model([node("Pad", ["x", "p"], ["y"], mode="reflect")], {"x": [1, 4]},
                       constants=constants))  # fmt: skip


@pytest.mark.parametrize("repeats", [[1, 3, 1], [2, 1, 2]])
def test_tile_agrees(repeats: list[int]) -> None:
    constants = {"r": np.array(repeats, np.int64)}
    agrees(model([node("Tile", ["x", "r"], ["y"])], {"x": [1, 2, 3]}, constants=constants))


@pytest.mark.parametrize("indices", [2, [0, 2, 3], [[3, -1], [0, 0]]])
def test_constant_selection_agrees(indices: Any) -> None:
    constants = {"i": np.array(indices, np.int64)}
    nodes = [node("Gather", ["x", "i"], ["y"], axis=1)]
    agrees(model(nodes, {"x": [1, 4, 3]}, constants=constants))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_and_back_agree(mode: str) -> None:
    nodes = [
        node("DepthToSpace", ["x"], ["d"], blocksize=2, mode=mode),
        node("Relu", ["d"], ["r"]),
        node("SpaceToDepth", ["r"], ["y"], blocksize=2),
    ]
    agrees(model(nodes, {"x": [1, 8, 2, 3]}))


def test_trilu_agrees() -> None:
    agrees(model([node("Trilu", ["x"], ["y"], upper=0)], {"x": [1, 4, 4]}))


def test_class_token_in_front_of_activations_agrees() -> None:
    constants = {"cls": normals(np.random.default_rng(0), 1, 1, 4)}
    nodes = [node("Concat", ["cls", "x"], ["y"], axis=1)]
    agrees(model(nodes, {"x": [1, 5, 4]}, constants=constants))


def test_shape_arithmetic_of_an_exporter_folds_away() -> None:
    constants = {"zero": np.array(0, np.int64), "minus": np.array([-1], np.int64),
                 "axis": np.array([0], np.int64)}  # fmt: skip
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Concat", ["n1", "minus"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["r"]),
        node("ConstantOfShape", ["target2"], ["ones"]),
        node("Add", ["r", "ones"], ["y"]),
    ]
    nodes.insert(5, node("Mul", ["n1", "n1"], ["target2"]))
    graph = agrees(model(nodes, {"x": ["batch", 3, 4]}, constants=constants))
    assert ops(graph)["Reshape"] == 1


def test_dropout_is_the_identity() -> None:
    constants = {"ratio": np.float32(0.5)}
    nodes = [node("Dropout", ["x", "ratio"], ["d"]), node("Relu", ["d"], ["y"])]
    assert ops(agrees(model(nodes, {"x": [1, 4]}, constants=constants))) == {"Unary": 1}


def test_several_inputs_and_outputs_agree() -> None:
    nodes = [
        node("Cast", ["flag"], ["f"], to=FLOAT),
        node("Mul", ["a", "f"], ["m"]),
        node("Add", ["m", "b"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("ArgMax", ["s"], ["i"], axis=1),
    ]
    proto = model(
        nodes, {"a": [1, 5], "b": [1, 5], "flag": (BOOL, [1, 1])}, outputs=["s", "p", "i"]
    )
    graph = agrees(proto)
    assert [public for public, _ in graph.outputs] == ["s", "p", "i"]


def test_dead_nodes_leave_nothing_behind() -> None:
    nodes = [node("Tanh", ["x"], ["dead"]), node("Relu", ["x"], ["y"])]
    graph = agrees(model(nodes, {"x": [1, 4]}))
    assert len(graph.nodes) == 1
    assert set(graph.shapes) == {"x", graph.nodes[0].output}


def test_output_of_rank_zero_gets_one_axis() -> None:
    nodes = [node("ReduceMean", ["x"], ["m"], keepdims=0), node("Sigmoid", ["m"], ["y"])]
    graph = agrees(model(nodes, {"x": [1, 4]}))
    assert graph.shapes[graph.outputs[0][1]] == (1,)


def test_dynamic_dimensions_are_given_by_symbol_or_place() -> None:
    nodes = [node("Relu", ["x"], ["y"])]
    proto = model(nodes, {"x": ["batch", "length", 3]})
    with pytest.raises(CompileError, match=r"x\[1\] \(length\)") as caught:
        graph_of(proto)
    assert "x[1]" in (caught.value.advice or "")
    assert graph_of(proto, dims={"length": 7}).shapes["x"] == (1, 7, 3)
    assert graph_of(proto, dims={"x[1]": 7, "batch": 2}).shapes["x"] == (2, 7, 3)


@pytest.mark.parametrize("dims", [{"nothing": 3}, {"length": 0}, {"x[2]": 4, "length": 7}])
def test_wrong_dimensions_are_named(dims: dict[str, int]) -> None:
    proto = model([node("Relu", ["x"], ["y"])], {"x": ["batch", "length", 3]})
    with pytest.raises(CompileError) as caught:
        graph_of(proto, dims={"length": 5} | dims)
    assert caught.value.check == "shape"


def test_range_of_an_unknown_input_is_named() -> None:
    proto = model([node("Relu", ["x"], ["y"])], {"x": [1, 3]})
    with pytest.raises(CompileError, match="other"):
        graph_of(proto, integer_ranges={"other": (0, 1)})


def test_declared_range_of_ids_grows_to_the_whole_table() -> None:
    constants = {"t": normals(np.random.default_rng(0), 9, 2)}
    proto = model(
        [node("Gather", ["t", "ids"], ["y"])], {"ids": (INT64, [1, 4])}, constants=constants
    )
    graph = graph_of(proto, integer_ranges={"ids": (0, 5)})
    assert (graph.inputs[0].low, graph.inputs[0].high) == (0, 8)
    with pytest.raises(UnsupportedOpError, match="leave a table"):
        graph_of(proto, integer_ranges={"ids": (0, 9)})


def test_constant_output_is_named() -> None:
    constants = {"c": np.array([1.0, 2.0])}
    nodes = [node("Relu", ["x"], ["y"]), node("Relu", ["c"], ["z"])]
    with pytest.raises(CompileError, match="'z' does not depend"):
        graph_of(model(nodes, {"x": [1, 2]}, outputs=["y", "z"], constants=constants))
