"""The float evaluator: batches, what it keeps, and its operators where ONNX has no twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from veridical.compiler.evaluate import FloatEvaluator, evaluate_node
from veridical.compiler.expression import X
from veridical.compiler.ir import FloatGraph, FloatNode, GraphInput
from veridical.errors import InputError, InternalError


def chain() -> FloatGraph:
    nodes = [
        FloatNode(op="Unary", inputs=("x",), output="a", attrs={"fn": X * 2.0}),
        FloatNode(op="Unary", inputs=("a",), output="b", attrs={"fn": X.relu()}),
        FloatNode(op="Add", inputs=("b", "a"), output="c", attrs={"coeff": (1.0, -0.5)}),
    ]
    return FloatGraph(
        inputs=[GraphInput(name="x", shape=(1, 3), is_integer=False)],
        outputs=[("result", "c")],
        nodes=nodes,
        shapes=dict.fromkeys("xabc", (1, 3)),
    )


def test_batch_with_and_without_the_leading_axis() -> None:
    evaluator = FloatEvaluator(chain())
    values = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, -6.0]])
    short = evaluator.outputs({"x": values})["result"]
    full = evaluator.outputs({"x": values[:, None]})["result"]
    assert short.shape == (2, 1, 3)
    assert np.array_equal(short, full)
    assert np.array_equal(short[:, 0], np.maximum(2 * values, 0) - values)


def test_only_what_is_kept_is_returned() -> None:
    evaluator = FloatEvaluator(chain())
    inputs = {"x": np.ones((1, 3))}
    assert set(evaluator.run(inputs)) == {"x", "a", "b", "c"}
    assert set(evaluator.run(inputs, keep=set())) == {"c"}
    assert set(evaluator.run(inputs, keep={"x", "b"})) == {"x", "b", "c"}


@pytest.mark.parametrize(
    "inputs", [{}, {"x": np.ones((2, 4))}, {"x": np.ones((2, 2, 3))}, {"x": np.ones(3)}]
)
def test_wrong_inputs_are_named(inputs: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="'x'"):
        FloatEvaluator(chain()).run(inputs)


def test_batches_must_agree() -> None:
    graph = chain()
    graph.inputs.append(GraphInput(name="z", shape=(1, 2), is_integer=False))
    with pytest.raises(InputError, match="batch"):
        FloatEvaluator(graph).run({"x": np.ones((2, 3)), "z": np.ones((3, 2))})


def test_unknown_operator_is_a_defect() -> None:
    with pytest.raises(InternalError, match="Nothing"):
        evaluate_node(FloatNode(op="Nothing", inputs=(), output="y"), [])


def test_softmax_leaves_masked_positions_at_zero() -> None:
    x, mask = np.array([[[1.0, 9.0, 2.0]]]), np.array([[[1.0, 0.0, 1.0]]])
    node = FloatNode(op="Softmax", inputs=("x", "m"), output="y", attrs={"scale": 2.0})
    result = evaluate_node(node, [x, mask])
    weights = np.exp([2.0, 4.0])
    assert result[0, 0].tolist() == pytest.approx(
        [weights[0] / weights.sum(), 0.0, weights[1] / weights.sum()]
    )


def test_ties_take_the_lowest_index() -> None:
    x = np.array([[[3.0, 5.0, 5.0, 1.0]]])
    first = FloatNode(op="ArgMax", inputs=("x",), output="y")
    assert evaluate_node(first, [x]).tolist() == [[[1.0]]]
    top = FloatNode(op="TopK", inputs=("x",), output="y", attrs={"k": 3, "values": 0})
    assert evaluate_node(top, [x]).tolist() == [[[1.0, 2.0, 0.0]]]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_equals_its_definition(groups: int) -> None:
    rng = np.random.default_rng(groups)
    x, weight, bias = (
        rng.normal(size=(2, 1, 4, 6, 5)),
        rng.normal(size=(8, 4 // groups, 3, 2)),
        rng.normal(size=8),
    )
    attrs = {"stride": (2, 1), "pad": (1, 0, 2, 1), "dilation": (1, 2), "groups": groups}
    node = FloatNode(op="Conv", inputs=("x",), output="y", params={"weight": weight, "bias": bias},
                     attrs=attrs)  # fmt: skip
    result = evaluate_node(node, [x])
    padded = np.pad(x, [(0, 0), (0, 0), (0, 0), (1, 2), (0, 1)])
    for batch, out, row, column in np.ndindex(2, 8, result.shape[-2], result.shape[-1]):
        start = out // (8 // groups) * (4 // groups)
        window = padded[
            batch, 0, start : start + 4 // groups, 2 * row : 2 * row + 3, column : column + 3 : 2
        ]
        assert result[batch, 0, out, row, column] == pytest.approx(
            (window * weight[out]).sum() + bias[out]
        )
