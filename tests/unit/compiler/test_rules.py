"""What the compiler decides: clamps, shared tables, dead nodes, exact offsets, ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.compiler.lowered import graph, one, run
from veridical.compiler import field, ranges
from veridical.compiler.builder import ProgramBuilder
from veridical.compiler.calibrate import Spread, calibrate
from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.expression import X, identity
from veridical.compiler.rewrite import pool_before_activation
from veridical.compiler.tables import TablePool
from veridical.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(11)


def normals(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(4).normal(size=shape)


@given(st.integers(0, 2**40), st.integers(1, 20))
def test_rounding_helpers(value: int, shift: int) -> None:
    assert field.shift_round(value, shift) == (2 * value + 2**shift) // 2 ** (shift + 1)
    root = field.isqrt_ceil(value)
    assert (root - 1) ** 2 < value <= root**2 or value == root == 0
    assert 2 ** field.bits_for_span(value) > value
    assert value == 0 or 2 ** (field.bits_for_span(value) - 1) <= value


@given(st.lists(st.integers(-field.M, field.M), min_size=4, max_size=4).map(sorted))
def test_clamps_that_are_emitted_are_accepted(ends: list[int]) -> None:
    low, least, greatest, high = ends
    builder = ProgramBuilder()
    builder.add_input("x", (1,), (-1, 1), {"kind": "integer"})
    # Stretch the input to [low, high] exactly: c x + o at x = -1 and 1.
    if (high - low) % 2:
        high -= 1
    greatest = min(greatest, high)
    least = min(least, greatest)
    consts = [
        builder.add_const(np.array([(high - low) // 2]), "weight"),
        builder.add_const(np.array([(high + low) // 2]), "weight"),
    ]
    wide = builder.emit("affine", [0], (1,), (low, high), consts=consts)
    bounds = (min(max(low, least), greatest), min(max(high, least), greatest))
    builder.emit("clamp", [wide], (1,), bounds, lo=least, hi=greatest)
    builder.add_output("y", 2, mul=1, shift=0)
    from veridical.errors import ProgramError
    from veridical.program import Program

    try:
        Program.build(builder.graph_json(), builder.consts)
        accepted = True
    except ProgramError:
        accepted = False
    assert ranges.can_clamp((low, high), (least, greatest)) == accepted


@pytest.mark.parametrize(
    ("samples", "is_clamped"),
    [(np.eye(64) * normals(64, 1), True), (np.ones((64, 64)) * normals(64, 1), False)],
    ids=["far below the worst case", "at the worst case"],
)
def test_clamp_comes_in_only_where_it_gains(samples: NDArray[np.float64], is_clamped: bool) -> None:
    nodes = [
        one("Linear", "x", output="h", params={"weight": np.ones((1, 64)), "bias": np.zeros(1)}),
        one("Unary", "h", fn=X.call("tanh")),
    ]
    result = run(graph(nodes, {"x": (1, 64), "h": (1, 1), "y": (1, 1)}), {"x": samples})
    assert result.ops == ["linear", *(["clamp"] if is_clamped else []), "table"]
    assert result.error() <= (1e-3 if is_clamped else 1e-2)


def test_same_function_and_steps_share_one_table() -> None:
    shapes: dict[str, tuple[int, ...]] = {"x": (1, 8)}
    nodes, previous = [], "x"
    for i in range(10):
        weight = np.random.default_rng(i).normal(size=(8, 8)) / 3
        nodes.append(
            one("Linear", previous, output=f"h{i}", params={"weight": weight, "bias": [0.0] * 8})
        )
        nodes.append(one("Unary", f"h{i}", output=f"t{i}", fn=X.call("tanh")))
        shapes |= {f"h{i}": (1, 8), f"t{i}": (1, 8)}
        previous = f"t{i}"
    result = run(graph(nodes, shapes, outputs=("t9",)), {"x": normals(64, 8)})
    sites = [node for node in result.nodes if node["op"] == "table"]
    assert len(sites) >= 10
    assert len({node["c"][0] for node in sites}) <= 3
    assert result.error("t9") <= 0.01


def test_a_table_grows_to_cover_all_its_sites() -> None:
    pool, builder = TablePool(), ProgramBuilder()
    builder.add_input("x", (1,), (-100, 100), {"kind": "integer"})
    for first, last in ((0, 10), (-20, 5), (8, 30)):
        group, bounds = pool.add_site(
            identity() * 2.0, indices=(first, last), shift=0, index_exponent=0, output_exponent=0,
            clamp=(-1000, 1000),
        )  # fmt: skip
        assert bounds == (2 * first, 2 * last)
        group.sites.append({"c": [], "first": 0})
    pool.finish(builder)
    (table,) = builder.consts
    assert table.tolist() == [2 * i for i in range(-20, 31)]
    assert group.sites == [{"c": [0], "first": -20}] * 3


def test_dead_nodes_and_consts_are_dropped() -> None:
    builder = ProgramBuilder()
    builder.add_input("x", (1,), (-5, 5), {"kind": "integer"})
    dead = [builder.add_const(np.array([3]), "weight"), builder.add_const(np.array([0]), "weight")]
    builder.emit("affine", [0], (1,), (-15, 15), consts=dead)
    kept = builder.emit("add", [0], (1,), (-10, 10), coeff=[2])
    builder.add_output("y", kept, mul=1, shift=0)
    pruned, ids = builder.pruned()
    assert [node["op"] for node in pruned.nodes] == ["add"]
    assert pruned.consts == []
    assert pruned.outputs[0]["tensor"] == ids[kept] == 1


def test_equal_consts_are_stored_once() -> None:
    builder = ProgramBuilder()
    ids = [builder.add_const(np.array([1, 2]), kind) for kind in ("weight", "weight", "table")]
    assert ids == [0, 0, 1]
    assert builder.add_const(np.array([1, 300]), "weight") == 2
    assert [info["dtype"] for info in builder.const_info] == ["i8", "i8", "i16"]
    with pytest.raises(CompileError, match="does not fit"):
        builder.add_const(np.array([2**31]), "weight")


def test_ranges_beyond_the_modulus_are_refused_by_the_builder() -> None:
    builder = ProgramBuilder()
    builder.add_input("x", (1,), (-5, 5), {"kind": "integer"})
    with pytest.raises(CompileError, match="no-wrap"):
        builder.emit("add", [0], (1,), (0, field.M + 1), coeff=[1])
    with pytest.raises(CompileError, match="no decoding"):
        builder.add_output("y", 0, mul=1, shift=97)
    builder.emit("add", [0], (1,), (0, 1), coeff=[1])
    with pytest.raises(CompileError, match="after the first node"):
        builder.add_input("z", (1,), (0, 1), {"kind": "integer"})


def test_pool_moves_before_a_rising_activation() -> None:
    pool = {"kernel": (2, 2), "stride": (2, 2), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
    shapes = {"x": (1, 1, 4, 4), "h": (1, 1, 4, 4), "y": (1, 1, 2, 2)}
    for function, moves in ((X.relu(), True), (X.clip(-1.0, 0.5), True), (X * -1.0, False)):
        nodes = [one("Unary", "x", output="h", fn=function), one("MaxPool", "h", **pool)]  # type: ignore[arg-type]
        before, after = graph(nodes, shapes), graph(nodes, shapes)
        pool_before_activation(after)
        assert [node.op for node in after.nodes] == (
            ["MaxPool", "Unary"] if moves else ["Unary", "MaxPool"]
        )
        samples = {"x": normals(5, 1, 4, 4)}
        expected, moved = (FloatEvaluator(g).outputs(samples)["y"] for g in (before, after))
        assert np.array_equal(expected, moved)


def test_pool_stays_where_the_activation_is_read_elsewhere() -> None:
    pool = {"kernel": (2, 2), "stride": (2, 2), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
    nodes = [one("Unary", "x", output="h", fn=X.relu()), one("MaxPool", "h", **pool)]  # type: ignore[arg-type]
    shapes = {"x": (1, 1, 4, 4), "h": (1, 1, 4, 4), "y": (1, 1, 2, 2)}
    float_graph = graph(nodes, shapes, outputs=("y", "h"))
    pool_before_activation(float_graph)
    assert [node.op for node in float_graph.nodes] == ["Unary", "MaxPool"]


def test_calibration_sees_every_tensor_and_cancelling_sums() -> None:
    nodes = [
        one("Reshape", "x", output="r", shape=(1, 2, 2)),
        one("Add", "x", "x", output="d", coeff=(1.0, -1.0)),
        one("Unary", "x", fn=X.relu()),
    ]
    shapes = {"x": (1, 4), "r": (1, 2, 2), "d": (1, 4), "y": (1, 4)}
    samples = np.array([[-3.0, 1.0, 2.0, 0.5], [0.0, 0.0, 7.0, -1.0]])
    found = calibrate(graph(nodes, shapes, outputs=("y", "d", "r")), {"x": samples}, progress=False)
    assert found["r"] == found["x"] == Spread(-3.0, 7.0, found["x"].rms)
    assert found["x"].rms == pytest.approx(np.sqrt(np.mean(samples**2)), rel=1e-3)
    assert (found["y"].low, found["y"].high) == (0.0, 7.0)
    # What cancels is known up to the rounding of float32 terms, and zero gets an ordinary step.
    assert found["d"].reach == pytest.approx(7.0 * 2.0**-24, rel=1e-3)
    assert Spread(0.0, 0.0, 0.0).reach == 1.0


@given(st.floats(1e-30, 1e30), st.floats(-1e-13, 1e-13))
def test_calibrated_ranges_forget_rounding_errors(value: float, noise: float) -> None:
    from veridical.compiler.calibrate import _outward

    rounded = _outward(value)
    assert value <= rounded <= value * (1 + 2.0**-13)
    # Two machines differ only if a rounding boundary lies between their results.
    assert _outward(rounded) == rounded
    assert _outward(rounded * (1 - 1e-13 - abs(noise))) == rounded
