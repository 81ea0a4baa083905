"""Matrix products, convolutions, pooling and reductions against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import INT64, agrees, graph_of, model, node, normals, ops
from veridical.errors import UnsupportedOpError

RNG_SEED = 11
COORDINATES = ("half_pixel", "asymmetric", "align_corners")
#: Fractional resizes on which ONNX's own reference and ONNX Runtime agree.
SETTLED = [
    ("half_pixel", "linear"),
    ("half_pixel", "cubic"),
    ("asymmetric", "nearest"),
    ("asymmetric", "linear"),
    ("asymmetric", "cubic"),
]


def rng() -> np.random.Generator:
    return np.random.default_rng(RNG_SEED)


@pytest.mark.parametrize("attrs", [{}, {"transB": 1}, {"transA": 1}, {"alpha": 0.5, "beta": 2.0}])
@pytest.mark.parametrize("bias", [None, (), (5,), (1, 5), (4, 1), (4, 5)])
def test_gemm_agrees(attrs: dict[str, Any], bias: tuple[int, ...] | None) -> None:
    r = rng()
    constants = {"w": normals(r, 5, 3) if "transB" in attrs else normals(r, 3, 5)}
    operands = ["x", "w"]
    if bias is not None:
        constants["b"] = normals(r, *bias)
        operands.append("b")
    shape = [3, 4] if "transA" in attrs else [4, 3]
    agrees(model([node("Gemm", operands, ["y"], **attrs)], {"x": shape}, constants=constants))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 4, 3), (3, 5)), ((4, 3), (3,)), ((3,), (3, 5)), ((1, 2, 4, 3), (1, 1, 3, 5)),
        ((1, 2, 4, 3), (2, 3, 5)), ((1, 4, 3), (2, 1, 3, 5)),
    ],
)  # fmt: skip
def test_matmul_with_a_constant_on_either_side_agrees(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    first = model([node("MatMul", ["x", "w"], ["y"])], {"x": list(left)},
                  constants={"w": normals(rng(), *right)})  # fmt: skip
    assert "MatMul" not in ops(agrees(first))
    second = model([node("MatMul", ["w", "x"], ["y"])], {"x": list(right)},
                   constants={"w": normals(rng(), *left)})  # fmt: skip
    assert "MatMul" not in ops(agrees(second))


@pytest.mark.parametrize(
    ("left", "right"),
    [((1, 4, 3), (1, 3, 5)), ((4, 3), (3, 5)), ((1, 2, 4, 3), (1, 1, 3, 5)), ((3,), (3, 5)),
     ((4, 3), (3,)), ((3,), (3,)), ((1, 2, 4, 3), (3, 5))],
)  # fmt: skip
def test_matmul_of_two_activations_agrees(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    proto = model([node("MatMul", ["a", "b"], ["y"])], {"a": list(left), "b": list(right)})
    assert ops(agrees(proto))["MatMul"] == 1


def test_transposed_second_operand_is_read_by_rows() -> None:
    nodes = [
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 3, 1]),
        node("MatMul", ["q", "kt"], ["y"]),
    ]
    graph = agrees(model(nodes, {"q": [1, 2, 4, 3], "k": [1, 5, 2, 3]}))
    matmul = next(n for n in graph.nodes if n.op == "MatMul")
    assert matmul.attrs["transpose_b"] == 1


def test_scale_and_offset_fold_into_the_weights_around_them() -> None:
    nodes = [
        node("Sub", ["x", "mean"], ["a"]),
        node("Div", ["a", "sd"], ["b"]),
        node("MatMul", ["b", "w"], ["c"]),
        node("Add", ["bias", "c"], ["d"]),
        node("Mul", ["d", "g"], ["e"]),
        node("Reshape", ["e", "shape"], ["f"]),
        node("Transpose", ["f"], ["h"], perm=[0, 2, 1]),
        node("Add", ["h", "late"], ["y"]),
    ]
    r = rng()
    constants: dict[str, Any] = {"mean": np.float32(0.3), "sd": np.float32(1.7),
                 "w": normals(r, 6, 4),
                 "bias": normals(r, 4), "g": normals(r, 4), "late": normals(r, 4, 1),
                 "shape": np.array([1, 3, 4], np.int64)}  # fmt: skip
    graph = agrees(model(nodes, {"x": [1, 3, 6]}, constants=constants))
    assert ops(graph) == {"Linear": 1, "Transpose": 1}


@pytest.mark.parametrize("case", [
    {"w": (4, 3, 3, 3), "pads": [1, 1, 1, 1]},
    {"w": (4, 3, 5, 3), "strides": [2, 1], "pads": [2, 0, 1, 1]},
    {"w": (6, 1, 3, 3), "group": 3},
    {"w": (4, 3, 3, 3), "dilations": [2, 2], "auto_pad": "SAME_UPPER"},
    {"w": (4, 3, 2, 2), "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"w": (4, 3, 1, 1), "auto_pad": "VALID"},
])  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_two_dimensional_convolution_agrees(case: dict[str, Any], bias: bool) -> None:
    attrs = dict(case)
    if "dilations" in attrs:
        del attrs["auto_pad"]
        attrs["pads"] = [2, 2, 2, 2]
    constants = {"w": normals(rng(), *attrs.pop("w"))}
    if bias:
        constants["b"] = normals(rng(), constants["w"].shape[0])
    nodes = [node("Conv", ["x", "w", "b"][: 2 + bias], ["y"], **attrs)]
    agrees(model(nodes, {"x": [1, 3, 9, 8]}, constants=constants))


@pytest.mark.parametrize("group", [1, 4])
def test_one_dimensional_convolution_agrees(group: int) -> None:
    constants: dict[str, Any] = {
        "w": normals(rng(), 4, 4 // group, 3),
        "b": normals(rng(), 4),
        "half": np.float32(0.5),
        "axes": np.array([0, 2], np.int64),
    }
    nodes = [
        node("Mul", ["x", "half"], ["s"]),
        node("Conv", ["s", "w"], ["c"], pads=[1, 1], group=group, strides=[2]),
        node("Unsqueeze", ["b", "axes"], ["b2"]),
        node("Add", ["c", "b2"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 4, 11]}, constants=constants))
    assert ops(graph) == {"Reshape": 2, "Conv": 1}


def test_bias_after_squeeze_folds_into_the_convolution() -> None:
    constants = {"w": normals(rng(), 4, 3, 3, 1), "b": normals(rng(), 1, 4, 1),
                 "axis": np.array([3], np.int64)}  # fmt: skip
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Squeeze", ["c", "axis"], ["s"]),
        node("Add", ["s", "b"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 3, 8, 1]}, constants=constants))
    assert ops(graph) == {"Conv": 1, "Reshape": 1}


def test_three_dimensional_convolution_and_recurrence_are_named() -> None:
    constants = {"w": normals(rng(), 2, 1, 2, 2, 2)}
    with pytest.raises(UnsupportedOpError, match="spatial axes"):
        graph_of(model([node("Conv", ["x", "w"], ["y"], name="c3")], {"x": [1, 1, 4, 4, 4]},
                       constants=constants))  # fmt: skip
    constants = {"w": normals(rng(), 1, 16, 3), "r": normals(rng(), 1, 16, 4)}
    with pytest.raises(UnsupportedOpError, match="not supported") as caught:
        graph_of(model([node("LSTM", ["x", "w", "r"], ["y"], name="cell", hidden_size=4)],
                       {"x": [5, 1, 3]}, constants=constants))  # fmt: skip
    assert (caught.value.node, caught.value.op) == ("cell", "LSTM")


@pytest.mark.parametrize("case", [
    {"strides": [2, 2]},
    {"strides": [2, 3], "pads": [1, 0, 1, 2], "output_padding": [1, 0]},
    {"dilations": [2, 1], "group": 2},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"strides": [3, 2], "output_shape": [10, 7]},
])  # fmt: skip
def test_transposed_convolution_agrees(case: dict[str, Any]) -> None:
    constants = {"w": normals(rng(), 4, 3, 3, 2), "b": normals(rng(), 3 * case.get("group", 1))}
    nodes = [node("ConvTranspose", ["x", "w", "b"], ["y"], **case)]
    agrees(model(nodes, {"x": [1, 4, 3, 3]}, constants=constants))


def test_one_dimensional_transposed_convolution_agrees() -> None:
    constants = {"w": normals(rng(), 4, 2, 3)}
    nodes = [node("ConvTranspose", ["x", "w"], ["y"], strides=[2], pads=[1, 1])]
    agrees(model(nodes, {"x": [1, 4, 5]}, constants=constants))


@pytest.mark.parametrize(
    ("coordinates", "mode", "scales"),
    [
        *((c, m, [1, 1, 2, 2]) for c in COORDINATES for m in ("nearest", "linear", "cubic")),
        *((c, m, [1, 1, 0.6, 1.7]) for c, m in SETTLED),
    ],
)
def test_resize_agrees(mode: str, coordinates: str, scales: list[float]) -> None:
    constants = {"s": np.array(scales, np.float32)}
    nodes = [node("Resize", ["x", "", "s"], ["y"], mode=mode,
                  coordinate_transformation_mode=coordinates, nearest_mode="floor")]  # fmt: skip
    agrees(model(nodes, {"x": [1, 2, 6, 5]}, constants=constants))


def test_doubling_by_nearest_neighbours_needs_no_products() -> None:
    constants = {"s": np.array([1, 2, 12, 10], np.int64)}
    nodes = [node("Resize", ["x", "", "", "s"], ["y"], mode="nearest",
                  coordinate_transformation_mode="asymmetric", nearest_mode="floor")]  # fmt: skip
    graph = agrees(model(nodes, {"x": [1, 2, 6, 5]}, constants=constants))
    assert set(ops(graph)) == {"Reshape", "Expand"}


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("bij,bjk->bik", [1, 3, 4], [1, 4, 5]), ("bhid,bhjd->bhij", [1, 2, 3, 4], [1, 2, 5, 4]),
        ("bid,dhk->bhik", [1, 3, 4], [4, 2, 5]), ("...ij,...kj->...ik", [1, 2, 3, 4], [1, 2, 5, 4]),
        ("ij,jk", [3, 4], [4, 5]), ("bi,bi->b", [1, 4], [1, 4]),
        ("bij,bkl->bik", [1, 3, 4], [1, 5, 2]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("constant", [True, False])
def test_einsum_agrees(equation: str, left: list[int], right: list[int], constant: bool) -> None:
    nodes = [node("Einsum", ["x", "w"], ["y"], equation=equation)]
    if constant:
        agrees(model(nodes, {"x": left}, constants={"w": normals(rng(), *right)}))
    else:
        agrees(model(nodes, {"x": left, "w": right}))


@pytest.mark.parametrize("equation", ["bij->bji", "bij->b", "bij->"])
def test_einsum_of_one_operand_agrees(equation: str) -> None:
    agrees(model([node("Einsum", ["x"], ["y"], equation=equation)], {"x": [1, 3, 4]}))


def test_operators_on_quantised_tensors_agree() -> None:
    r = rng()
    constants: dict[str, Any] = {
        "xs": np.float32(0.03), "xz": np.uint8(120), "ys": np.float32(0.05), "yz": np.uint8(100),
        "w": r.integers(0, 255, (6, 4)).astype(np.uint8), "ws": np.float32(0.01),
        "wz": np.uint8(128),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("QLinearMatMul", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["p"]),
        node("DequantizeLinear", ["p", "ys", "yz"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 3, 6]}, constants=constants), tolerance=0.02)
    assert ops(graph) == {"Unary": 2, "Linear": 1}
    constants |= {
        "k": r.integers(-100, 100, (4, 3, 3, 3)).astype(np.int8),
        "ks": np.abs(normals(r, 4)) * 0.01,
        "kz": np.zeros(4, np.int8), "b": r.integers(-500, 500, 4).astype(np.int32),
    }  # fmt: skip
    nodes[1] = node("QLinearConv", ["q", "xs", "xz", "k", "ks", "kz", "ys", "yz", "b"], ["p"],
                    pads=[1, 1, 1, 1])  # fmt: skip
    graph = agrees(model(nodes, {"x": [1, 3, 5, 5]}, constants=constants), tolerance=0.02)
    assert ops(graph) == {"Unary": 2, "Conv": 1}


@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 0, 1, 1]])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pooling_agrees(op: str, pads: list[int], ceil_mode: int) -> None:
    for include in (0, 1) if op == "AveragePool" else (None,):
        attrs: dict[str, Any] = {} if include is None else {"count_include_pad": include}
        nodes = [
            node(op, ["x"], ["y"], kernel_shape=[3, 2], strides=[2, 2], pads=pads,
                 ceil_mode=ceil_mode, **attrs)
        ]  # fmt: skip
        agrees(model(nodes, {"x": [1, 2, 8, 7]}, opset=19))


def test_one_dimensional_and_global_pooling_agree() -> None:
    agrees(model([node("MaxPool", ["x"], ["y"], kernel_shape=[3], strides=[2])], {"x": [1, 2, 9]}))
    agrees(model([node("AveragePool", ["x"], ["y"], kernel_shape=[3])], {"x": [1, 2, 9]}))
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        agrees(model([node(op, ["x"], ["y"])], {"x": [1, 3, 5, 7]}))
        agrees(model([node(op, ["x"], ["y"])], {"x": [1, 3, 5]}))


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[1], [0, 2], None])
@pytest.mark.parametrize(
    "op", ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"]
)
def test_reductions_agree(op: str, axes: list[int] | None, keepdims: int) -> None:
    attrs: dict[str, Any] = {} if axes is None else {"axes": axes}
    nodes = [node(op, ["x"], ["r"], keepdims=keepdims, **attrs), node("Relu", ["r"], ["y"])]
    agrees(model(nodes, {"x": [1, 4, 5]}))


def test_sum_over_axes_given_as_input_agrees() -> None:
    for axes in ([1], [-1, 1]):
        constants = {"axes": np.array(axes, np.int64)}
        nodes = [node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
        agrees(model(nodes, {"x": [1, 4, 5]}, constants=constants, opset=13))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_arg_max_agrees(op: str, axis: int, keepdims: int) -> None:
    nodes = [
        node("Mul", ["x", "c"], ["s"]),
        node(op, ["s"], ["y"], axis=axis, keepdims=keepdims),
    ]
    graph = agrees(model(nodes, {"x": [1, 4, 5]}, constants={"c": np.float32(-2)}))
    assert graph.outputs[0][1] in graph.integers


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [1, 2])
def test_top_k_agrees_in_values_and_indices(axis: int, largest: int) -> None:
    nodes = [node("TopK", ["x", "k"], ["v", "i"], axis=axis, largest=largest)]
    constants = {"k": np.array([3], np.int64)}
    agrees(model(nodes, {"x": [1, 4, 5]}, outputs=["v", "i"], constants=constants))


def test_embedding_and_what_follows_become_one_table() -> None:
    constants = {"table": normals(rng(), 9, 4), "b": normals(rng(), 4)}
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        node("Add", ["e", "b"], ["f"]),
        node("Tanh", ["f"], ["y"]),
    ]
    graph = agrees(model(nodes, {"ids": (INT64, [1, 6])}, constants=constants))
    assert ops(graph) == {"Gather": 1}
    assert (graph.inputs[0].low, graph.inputs[0].high) == (0, 8)


def test_one_hot_product_becomes_a_lookup() -> None:
    constants = {"codes": np.arange(5, dtype=np.int32).reshape(1, 1, 5), "w": normals(rng(), 5, 4),
                 "shape": np.array([1, 6, 1], np.int64)}  # fmt: skip
    nodes = [
        node("Cast", ["ids"], ["i32"], to=6),
        node("Reshape", ["i32", "shape"], ["r"]),
        node("Equal", ["r", "codes"], ["hot"]),
        node("Cast", ["hot"], ["h"], to=1),
        node("MatMul", ["h", "w"], ["y"]),
    ]
    graph = agrees(model(nodes, {"ids": (INT64, [1, 6])}, constants=constants))
    assert ops(graph)["Gather"] == 1
    assert ops(graph)["Linear"] == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_gather_from_a_table_along_any_axis_agrees(axis: int) -> None:
    nodes = [node("Gather", ["table", "ids"], ["y"], axis=axis)]
    constants = {"table": normals(rng(), 4, 4, 3)}
    agrees(model(nodes, {"ids": (INT64, [1, 5])}, constants=constants))


def test_quantised_model_with_given_scales_agrees() -> None:
    r = rng()
    constants: dict[str, Any] = {
        "xs": np.float32(0.03), "xz": np.uint8(128), "ws": np.abs(normals(r, 4)) * 0.01 + 0.01,
        "wz": np.zeros(4, np.int8), "w": r.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
        "bs": np.float32(0.0006), "bz": np.int32(0),
        "bq": r.integers(-900, 900, 4).astype(np.int32),
        "ys": np.float32(0.1), "yz": np.uint8(0),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("DequantizeLinear", ["bq", "bs", "bz"], ["bd"]),
        node("Conv", ["xd", "wd", "bd"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "ys", "yz"], ["yq"]),
        node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]),
    ]
    graph = agrees(model(nodes, {"x": [1, 3, 6, 6]}, constants=constants), tolerance=0.03)
    assert ops(graph) == {"Unary": 2, "Conv": 1}


def test_dynamic_quantisation_is_named() -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dyn"),
        node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    with pytest.raises(UnsupportedOpError) as caught:
        graph_of(model(nodes, {"x": [1, 4]}))
    assert (caught.value.node, caught.value.op) == ("dyn", "DynamicQuantizeLinear")
