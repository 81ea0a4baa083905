"""Every lowering: what the loader accepts, within a bound that follows from the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.unit.compiler.lowered import graph, one, run
from veridical.compiler.expression import X
from veridical.compiler.lower import LOWERINGS
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from veridical.compiler.ir import FloatNode

RNG = np.random.default_rng(20261122)
WEIGHT = RNG.normal(size=(5, 8)) / 3
BIAS = RNG.normal(size=5)
KERNEL = RNG.normal(size=(4, 2, 3, 3)) / 4
POOL: dict[str, Any] = {"kernel": (2, 2), "stride": (2, 2), "pad": (0, 1, 1, 0), "dilation": (1, 1)}
CONV: dict[str, Any] = {"stride": (2, 1), "pad": (1, 0, 1, 1), "dilation": (1, 1), "groups": 1}
IMAGE = (1, 2, 6, 6)
ROWS = (1, 3, 8)


def normals(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(7).normal(size=(40, *shape[1:]))


# Name: node, shape of x, shape of y, how much of an input step and of the weight rounding
# (relative to the width of the weights) reaches the result at most.
CASES: dict[str, tuple[FloatNode, tuple[int, ...], tuple[int, ...], float, float]] = {
    "linear": (
        one("Linear", "x", params={"weight": WEIGHT, "bias": BIAS}),
        ROWS, (1, 3, 5), np.abs(WEIGHT).sum(axis=1).max(), 8 * 4 * np.abs(WEIGHT).max(),
    ),
    "conv": (
        one("Conv", "x", params={"weight": KERNEL, "bias": BIAS[:4]}, **CONV),
        IMAGE, (1, 4, 3, 5), np.abs(KERNEL).sum(axis=(1, 2, 3)).max(), 18 * 4 * KERNEL.max(),
    ),
    "unary": (one("Unary", "x", fn=X.call("tanh")), ROWS, ROWS, 1.0, 0.0),
    "relu": (one("Unary", "x", fn=X.relu()), ROWS, ROWS, 1.0, 0.0),
    "affine": (
        one("Affine", "x", params={"gain": WEIGHT[:1, None], "offset": WEIGHT[1:2, None]}),
        ROWS, ROWS, np.abs(WEIGHT[0]).max(), 4 * np.abs(WEIGHT[0]).max(),
    ),
    "offset": (
        one("Affine", "x", params={"gain": np.full((1, 1, 1), -0.7), "offset": WEIGHT[1:2, None]}),
        ROWS, ROWS, 0.7, 0.0,
    ),
    "add": (one("Add", "x", "x", coeff=(1.0, 2.0)), ROWS, ROWS, 3.0, 0.0),
    "difference": (one("Add", "x", "x", coeff=(0.3, -1.0)), ROWS, ROWS, 1.3, 0.0),
    "mul": (one("Mul", "x", "x"), ROWS, ROWS, 3 * 8.0, 0.0),  # the operand loses a bit
    "softmax": (one("Softmax", "x", scale=0.5), ROWS, ROWS, 1.0, 0.0),
    "negative softmax": (one("Softmax", "x", scale=-0.5), ROWS, ROWS, 1.0, 0.0),
    "max_pool": (one("MaxPool", "x", **POOL), IMAGE, (1, 2, 3, 3), 1.0, 0.0),
    "sum_pool": (one("SumPool", "x", divisor=4.0, **POOL), IMAGE, (1, 2, 3, 3), 1.0, 0.0),
    "reduce_sum": (
        one("ReduceSum", "x", axes=(1,), divisor=3.0), ROWS, (1, 1, 8), 1.0, 0.0,
    ),
    "reduce_max": (one("ReduceMax", "x", axes=(1, 2)), ROWS, (1, 1, 1), 1.0, 0.0),
    "topk": (one("TopK", "x", k=3, values=1), ROWS, (1, 3, 3), 1.0, 0.0),
    "reshape": (one("Reshape", "x", shape=(1, 24)), ROWS, (1, 24), 1.0, 0.0),
    "transpose": (one("Transpose", "x", perm=(0, 2, 1)), ROWS, (1, 8, 3), 1.0, 0.0),
    "expand": (one("Expand", "x", shape=(1, 3, 8)), (1, 1, 8), ROWS, 1.0, 0.0),
    "concat": (one("Concat", "x", "x", axis=2), ROWS, (1, 3, 16), 1.0, 0.0),
    "slice": (one("Slice", "x", axis=2, start=1, stop=8, step=3), ROWS, (1, 3, 3), 1.0, 0.0),
    "pad": (
        one("Pad", "x", before=(0, 0, 1), after=(0, 1, 0), value=0.4), ROWS, (1, 4, 9), 1.0, 0.0,
    ),
    "pad far outside": (
        one("Pad", "x", before=(0, 0, 1), after=(0, 0, 0), value=1e5), ROWS, (1, 3, 9), 1.0, 2**13,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_result_is_within_what_the_steps_allow(name: str) -> None:
    node, before, after, slope, weights = CASES[name]
    result = run(graph([node], {"x": before, "y": after}), {"x": normals(*before)})
    # Twelve magnitude bits is the least that any of these weights is left.
    bound = slope * result.input_step / 2 + weights * 2.0**-12 + result.output_step()
    if name == "softmax" or name.endswith(" softmax"):
        bound += 2.0**-14  # the numerator table
    assert result.error() <= bound * (1 + 1e-9)
    assert bound <= 0.02 * max(1.0, np.abs(result.expected["y"]).max())


def test_gain_in_a_sum_keeps_its_bits() -> None:
    nodes = [
        one(
            "Affine",
            "x",
            output="g",
            params={"gain": WEIGHT[:1, None], "offset": np.zeros((1, 1, 8))},
        ),
        one("Add", "g", "x", coeff=(1.0, -1.0)),
    ]
    result = run(graph(nodes, dict.fromkeys("xgy", ROWS)), {"x": normals(*ROWS)})
    slope = np.abs(WEIGHT[0]).max() + 1
    assert result.error() <= slope * result.input_step / 2 + 4 * 2.0**-14 + result.output_step()
    assert result.ops == ["affine", "add"]


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-5, 1.0, 100.0])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_layernorm_at_any_scale(centered: bool, epsilon: float, size: float) -> None:
    node = one("LayerNorm", "x", epsilon=epsilon * size**2, centered=centered)
    result = run(graph([node], {"x": (1, 2, 16), "y": (1, 2, 16)}), {"x": size * normals(1, 2, 16)})
    # Dividing by a deviation of about `size` turns an input step into a step of the result; an
    # epsilon above the variance costs bits of the operand, since its integer has twenty.
    bound = 16 * result.input_step / size + 4 * result.output_step() + 2.0**-8
    assert result.error() <= bound
    assert bound < 0.02
    assert result.ops[-1] == "layernorm"


def test_product_of_two_inputs() -> None:
    shapes = {"a": (1, 2, 4, 6), "b": (1, 2, 5, 6), "y": (1, 2, 4, 5)}
    node = one("MatMul", "a", "b", transpose_b=True)
    samples = {name: normals(*shapes[name]) for name in "ab"}
    result = run(graph([node], shapes, inputs=("a", "b")), samples)
    assert result.error() <= 6 * 4 * result.input_step
    assert result.ops == ["matmul"]


def attention() -> tuple[list[FloatNode], dict[str, tuple[int, ...]]]:
    nodes = [
        one("MatMul", "q", "k", output="s", transpose_b=True),
        one("Softmax", "s", "m", output="p", scale=0.5),
        one("MatMul", "p", "v", transpose_b=False),
    ]
    shapes = {"q": (1, 5, 4), "k": (1, 5, 4), "v": (1, 5, 3), "m": (1, 1, 5)}
    return nodes, {**shapes, "s": (1, 5, 5), "p": (1, 5, 5), "y": (1, 5, 3)}


def test_attention_divides_behind_the_product() -> None:
    nodes, shapes = attention()
    samples: dict[str, NDArray[Any]] = {name: normals(*shapes[name]) for name in "qkv"}
    samples["m"] = (np.arange(5) < np.arange(40)[:, None] % 5 + 1).astype(np.int64)[:, None]
    float_graph = graph(nodes, shapes, inputs=("q", "k", "v", "m"), integers={"m": (0, 1)})
    result = run(float_graph, samples)
    assert result.ops == ["matmul", "softmax_numerator", "weighted_mean"]
    assert result.error() <= 0.002 * np.abs(result.expected["y"]).max()


def test_softmax_that_is_read_twice_divides_at_once() -> None:
    nodes, shapes = attention()
    nodes[1] = one("Softmax", "s", output="p", scale=0.5)
    names = ("q", "k", "v")
    float_graph = graph(nodes, shapes, inputs=names, outputs=("y", "p"))
    result = run(float_graph, {name: normals(*shapes[name]) for name in names})
    assert result.ops.count("normalize") == 1
    assert "weighted_mean" not in result.ops
    assert result.error("p") <= 2e-3


def test_weighted_mean_over_a_mask() -> None:
    shapes = {"e": (1, 1, 6), "v": (1, 6, 3), "y": (1, 1, 3)}
    node = one("WeightedMean", "e", "v")
    mask = (np.arange(6) <= np.arange(40)[:, None] % 6).astype(np.int64)[:, None]
    float_graph = graph([node], shapes, inputs=("e", "v"), integers={"e": (0, 1)})
    result = run(float_graph, {"e": mask, "v": normals(1, 6, 3)})
    assert result.error() <= result.input_step / 2 + result.output_step()


def test_gather_reads_rows() -> None:
    table = RNG.normal(size=(9, 4))
    node = one("Gather", "i", params={"table": table})
    float_graph = graph(
        [node], {"i": (1, 3), "y": (1, 3, 4)}, inputs=("i",), integers={"i": (0, 8)}
    )
    ids = np.random.default_rng(1).integers(0, 9, (20, 3))
    result = run(float_graph, {"i": ids})
    assert result.error() <= result.output_step() / 2


def test_argmax_and_topk_give_indices() -> None:
    shapes = {"x": ROWS, "y": (1, 3, 1), "z": (1, 3, 2)}
    nodes = [one("ArgMax", "x"), one("TopK", "x", output="z", k=2, values=0)]
    float_graph = graph(nodes, shapes, outputs=("y", "z"))
    float_graph.integers |= {"y", "z"}
    # Values on the grid of the input: ties must fall to the lowest index on both sides.
    samples = np.random.default_rng(2).integers(-4, 5, (60, 3, 8)).astype(np.float64)
    result = run(float_graph, {"x": samples})
    assert result.error("y") == 0.0
    assert result.error("z") == 0.0


def test_integer_function_is_exact() -> None:
    node = one("Unary", "i", fn=X.less(3.0))
    float_graph = graph([node], {"i": (1, 4), "y": (1, 4)}, inputs=("i",), integers={"i": (-9, 9)})
    float_graph.integers.add("y")
    result = run(float_graph, {"i": np.random.default_rng(3).integers(-9, 10, (30, 4))})
    assert result.error() == 0.0
    too_wide = graph([node], {"i": (1, 4), "y": (1, 4)}, inputs=("i",), integers={"i": (0, 2**20)})
    too_wide.integers.add("y")
    with pytest.raises(CompileError, match="exceeds a table"):
        run(too_wide, {"i": np.zeros((1, 4), np.int64)})


def test_every_lowering_is_tested_here() -> None:
    tested = {case[0].op for case in CASES.values()}
    alone = {"ArgMax", "Gather", "LayerNorm", "MatMul", "WeightedMean"}
    assert set(LOWERINGS) == tested | alone


def test_unknown_operator_is_named() -> None:
    with pytest.raises(UnsupportedOpError, match="no integer form") as caught:
        run_unlowered(one("Nothing", "x"))
    assert caught.value.op == "Nothing"


def run_unlowered(node: FloatNode) -> None:
    from veridical.compiler.calibrate import Spread
    from veridical.compiler.lower import lower
    from veridical.compiler.precision import parse

    spread = {"x": Spread(-1.0, 1.0, 0.5), "y": Spread(-1.0, 1.0, 0.5)}
    lower(graph([node], {"x": (1, 2), "y": (1, 2)}), spread, parse("auto"), {})


REFUSED: dict[str, Callable[[], FloatNode]] = {
    "rows of 2000 exceed 1024": lambda: one("LayerNorm", "x", epsilon=1e-5, centered=True),
    "rows of 2000 exceed 1000": lambda: one("LayerNorm", "x", epsilon=1e-5, centered=False),
    "scaled by zero": lambda: one("Softmax", "x", scale=0.0),
    "undefined": lambda: one("Unary", "x", fn=X.call("log")),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_integer_form_is_refused(reason: str) -> None:
    shapes = {"x": (1, 2000), "y": (1, 2000)}
    with pytest.raises(CompileError, match=reason):
        run(graph([REFUSED[reason]()], shapes), {"x": normals(1, 2000)})


def test_row_sums_that_leave_no_weight_are_refused() -> None:
    size = 2**13
    node = one("Linear", "x", params={"weight": np.ones((1, size)), "bias": np.zeros(1)})
    float_graph = graph([node], {"x": (1, size), "y": (1, 1)})
    samples = {"x": np.random.default_rng(1).normal(size=(4, size))}
    assert run(float_graph, samples).error() < 2.0  # the deviation of a sum is 90
    wide = one("Linear", "x", params={"weight": np.ones((1, 2**19)), "bias": np.zeros(1)})
    float_graph = graph([wide], {"x": (1, 2**19), "y": (1, 1)})
    samples = {"x": np.random.default_rng(1).normal(size=(1, 2**19))}
    with pytest.raises(CompileError, match="no-wrap rule"):
        run(float_graph, samples)
