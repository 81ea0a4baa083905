"""One case per op, worked out by hand from spec/v1/program.md, section 4."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.differential.draft import Draft
from veridical import reference
from veridical.errors import InputError


def run_one(
    op: str,
    operands: list[tuple[Any, int, int]],
    consts: list[tuple[str, str, Any]] | None = None,
    /,
    **attributes: Any,
) -> tuple[Any, dict[str, Any]]:
    """Run a program of one node on a batch of one; return the result and its declared tensor."""
    draft = Draft()
    inputs = {}
    for values, lo, hi in operands:
        array = np.array(values)
        tensor = draft.add_input(array.shape, lo, hi)
        inputs[f"in{tensor}"] = array[None]
    ids = [draft.add_const(*const) for const in consts or []]
    draft.add_output(draft.add_node(op, list(range(len(operands))), ids, **attributes))
    run = reference.load(draft.to_bytes()).run(inputs)
    return run.outputs["out0"][0].tolist(), draft.tensors[-1]


def bounds(tensor: dict[str, Any]) -> tuple[int, int]:
    return tensor["lo"], tensor["hi"]


def test_linear_multiplies_and_adds_the_bias() -> None:
    # Row 0: 1*1 + 2*(-1) + 3*2 + 10 = 15; row 1: -1 + 0 + 3*5 - 20 = -6.
    result, tensor = run_one(
        "linear",
        [([1, 2, 3], -4, 4)],
        [("weight", "i8", [[1, -1, 2], [-1, 0, 5]]), ("weight", "i32", [10, -20])],
    )
    assert result == [15, -6]
    # Row 0: 10 -+ 4*4; row 1: -20 -+ 4*6.
    assert bounds(tensor) == (-44, 26)


def test_conv_is_a_cross_correlation_that_pads_with_zero() -> None:
    # The filter is not mirrored: top left output is 0*0 + 0*1 + 0*2 + 1*3 with a pad of one.
    result, tensor = run_one(
        "conv",
        [([[[1, 2], [3, 4]]], 1, 4)],
        [("weight", "i8", [[[[0, 1], [2, 3]]]]), ("weight", "i32", [100])],
        stride=[1, 1],
        pad=[1, 1, 0, 0],
        dilation=[1, 1],
        groups=1,
    )
    # 3*1, 2*1 + 3*2, (0,1 above: row -1 is padding) then the full window 0*1 + 1*2 + 2*3 + 3*4.
    assert result == [[[103, 108], [100 + 1 * 1 + 3 * 3, 120]]]
    # Padding lowers L from 1 to 0: 100 + 6 * [0, 4].
    assert bounds(tensor) == (100, 124)


def test_conv_groups_and_strides_and_dilation() -> None:
    # Two channels, each its own group; width 5, taps 0 and 2, stride 2: outputs at 0 and 2.
    result, _ = run_one(
        "conv",
        [([[[1, 2, 3, 4, 5]], [[10, 20, 30, 40, 50]]], 0, 50)],
        [("weight", "i16", [[[[1, 2]]], [[[3, -1]]]]), ("weight", "i32", [0, 7])],
        stride=[1, 2],
        pad=[0, 0, 0, 0],
        dilation=[1, 2],
        groups=2,
    )
    assert result == [[[1 + 6, 3 + 10]], [[30 - 30 + 7, 90 - 50 + 7]]]


@pytest.mark.parametrize("transpose_b", [0, 1])
def test_matmul_of_two_activations(transpose_b: int) -> None:
    b = [[5, 6], [7, 8]]
    result, tensor = run_one(
        "matmul",
        [([[1, 2], [3, 4]], -4, 4), (b, 0, 8)],
        transpose_b=transpose_b,
    )
    expected = [[17, 23], [39, 53]] if transpose_b else [[19, 22], [43, 50]]
    assert result == expected
    assert bounds(tensor) == (-64, 64)


@pytest.mark.parametrize(
    ("rounding", "expected"), [(0, [10, 10, 20, 20, 30]), (1, [10, 20, 20, 30, 30])]
)
def test_table_shifts_down_or_to_the_nearest(rounding: int, expected: list[int]) -> None:
    # shift 2: -4..-1 is index -1 without rounding; with half 2, -4..-3 is -1 and -2..1 is 0.
    result, tensor = run_one(
        "table",
        [([-4, -2, 1, 3, 4], -4, 5)],
        [("table", "i16", [99, 10, 20, 30, 99])],
        shift=2,
        first=-2,
        round=rounding,
    )
    assert result == expected
    assert bounds(tensor) == (10, 30), "rows that the range cannot reach do not count"


def test_shift_rounds_half_up_also_below_zero() -> None:
    result, tensor = run_one("shift", [([-6, -5, -2, 2, 5, 6], -6, 6)], shift=2)
    assert result == [-1, -1, 0, 1, 1, 2]
    assert bounds(tensor) == (-1, 2)


def test_clamp_keeps_what_lies_between() -> None:
    result, tensor = run_one("clamp", [([-9, -3, 0, 4, 9], -9, 9)], lo=-3, hi=4)
    assert result == [-3, -3, 0, 4, 4]
    assert bounds(tensor) == (-3, 4)
    assert bounds(run_one("clamp", [([1, 2], 1, 2)], lo=5, hi=8)[1]) == (5, 5)


def test_add_has_coefficients_and_broadcasts() -> None:
    result, tensor = run_one(
        "add", [([[1, 2], [3, 4]], 0, 4), ([[10], [20]], 0, 20)], coeff=[2, -1]
    )
    assert result == [[-8, -6], [-14, -12]]
    assert bounds(tensor) == (-20, 8)


def test_affine_pairs_gain_and_offset_by_broadcast() -> None:
    result, tensor = run_one(
        "affine",
        [([[1, 2], [3, 4]], -1, 4)],
        [("weight", "i8", [[2, -3]]), ("weight", "i32", [[10], [20]])],
    )
    assert result == [[12, 4], [26, 8]]
    # The least is -3 * 4 + 10, the greatest 2 * 4 + 20.
    assert bounds(tensor) == (-2, 28)


def test_mul_of_two_and_the_square_of_one() -> None:
    result, tensor = run_one("mul", [([-3, 2], -3, 2), ([5, -7], -7, 5)])
    assert result == [-15, -14]
    assert bounds(tensor) == (-15, 21)
    draft = Draft()
    draft.add_input((2,), -3, 2)
    draft.add_output(draft.add_node("mul", [0, 0]))
    assert bounds(draft.tensors[-1]) == (0, 9)
    run = reference.load(draft.to_bytes()).run({"in0": np.array([[-3, 2]])})
    assert run.outputs["out0"].tolist() == [[9, 4]]


def test_softmax_numerator_rounds_the_distance_down() -> None:
    # m = 9; distances 0, 3, 4, 9; shifted by 2: 0, 0, 1, 2.
    table = ("table", "i16", [100, 50, 25])
    result, tensor = run_one("softmax_numerator", [([9, 6, 5, 0], 0, 9)], [table], shift=2)
    assert result == [100, 100, 50, 25]
    assert bounds(tensor) == (0, 100)


def test_softmax_numerator_ignores_masked_positions() -> None:
    # The largest is masked: m = 6; distances -, 0, 1, 6.
    result, _ = run_one(
        "softmax_numerator",
        [([9, 6, 5, 0], 0, 9), ([0, 1, 1, 1], 0, 1)],
        [("table", "i16", [100, 50, 25])],
        shift=2,
    )
    assert result == [0, 100, 100, 50]


def test_softmax_numerator_of_a_fully_masked_row_is_an_error() -> None:
    with pytest.raises(InputError, match="empty row") as caught:
        run_one(
            "softmax_numerator",
            [([[1, 2], [3, 4]], 0, 9), ([[1, 0], [0, 0]], 0, 1)],
            [("table", "i16", [100, 50, 25])],
            shift=2,
        )
    assert caught.value.check == "empty_row"


def test_layernorm_by_hand() -> None:
    # Halved and rounded: [1, 2, 3, 6]. The mean is floor((12 + 2) / 4) = 3; c = [-2, -1, 0, 3];
    # V = 14 + 2 = 16; r = isqrt(floor(4 * 2^8 / 16)) = 8; y = (8 c + 2) >> 2.
    result, tensor = run_one(
        "layernorm",
        [([1, 3, 5, 11], 0, 20)],
        shift=1,
        u=4,
        fx=2,
        epsilon=2,
        centered=1,
    )
    assert result == [-4, -2, 0, 6]
    # isqrt_ceil(4 * 256) = 32; (32 + 2) >> 2 = 8.
    assert bounds(tensor) == (-8, 8)


def test_layernorm_without_a_mean() -> None:
    # c = x = [3, 4]; V = 25 + 7 = 32; r = isqrt(floor(2 * 2^10 / 32)) = 8; y = (8 c + 4) >> 3.
    result, _ = run_one("layernorm", [([3, 4], 0, 9)], shift=0, u=5, fx=2, epsilon=7, centered=0)
    assert result == [3, 4]


def test_weighted_mean_rounds_half_up() -> None:
    # Z = 4. (1*1 + 3*2) = 7, (7 + 2) // 4 = 2; (1*-1 + 3*-2) = -7, (-7 + 2) // 4 = -2.
    result, tensor = run_one("weighted_mean", [([[1, 3]], 0, 3), ([[1, -1], [2, -2]], -5, 5)])
    assert result == [[2, -2]]
    assert bounds(tensor) == (-5, 5)


def test_normalize_of_a_row() -> None:
    # Z = 3; 2^4 * [1, 2, 0] = [16, 32, 0]; + 1, // 3.
    result, tensor = run_one("normalize", [([1, 2, 0], 0, 9)], digits=[3, 1])
    assert result == [5, 11, 0]
    assert bounds(tensor) == (0, 16)


@pytest.mark.parametrize("op", ["weighted_mean", "normalize"])
def test_a_row_of_zeros_has_no_mean(op: str) -> None:
    rows = [([[1, 0], [0, 0]], 0, 3)]
    operands = [*rows, ([[1], [2]], 0, 3)] if op == "weighted_mean" else rows
    attributes = {} if op == "weighted_mean" else {"digits": [3, 0]}
    with pytest.raises(InputError, match="empty row"):
        run_one(op, operands, **attributes)


def test_pooling_ignores_padding() -> None:
    geometry: dict[str, Any] = {
        "kernel": [2, 2],
        "stride": [2, 1],
        "pad": [1, 0, 0, 0],
        "dilation": [1, 1],
    }
    image = [([[[-5, -2, -9], [-4, -1, -3], [-8, -7, -6]]], -9, -1)]
    result, tensor = run_one("max_pool", image, **geometry)
    assert result == [[[-2, -2], [-1, -1]]]
    assert bounds(tensor) == (-9, -1)
    result, tensor = run_one("sum_pool", image, **geometry)
    assert result == [[[-7, -11], [-20, -17]]]
    assert bounds(tensor) == (-36, 0)
    _, tensor = run_one("sum_pool", image, **{**geometry, "pad": [0, 0, 0, 0]})
    assert bounds(tensor) == (-36, -4), "without padding every window is full"


def test_reductions_keep_axes_of_size_one() -> None:
    image = [([[1, -2, 3], [4, 5, -6]], -6, 5)]
    result, tensor = run_one("reduce_sum", image, axes=[0])
    assert result == [[5, 3, -3]]
    assert bounds(tensor) == (-12, 10)
    assert run_one("reduce_sum", image, axes=[0, 1])[0] == [[5]]
    result, tensor = run_one("reduce_max", image, axes=[1])
    assert result == [[3], [5]]
    assert bounds(tensor) == (-6, 5)


def test_argmax_and_topk_take_the_lowest_index_first() -> None:
    rows = [([[3, 7, 7, 1], [2, 2, 2, 2]], 0, 7)]
    result, tensor = run_one("argmax", rows)
    assert result == [[1], [0]]
    assert bounds(tensor) == (0, 3)
    result, tensor = run_one("topk", rows, k=3, values=0)
    assert result == [[1, 2, 0], [0, 1, 2]]
    assert bounds(tensor) == (0, 3)
    result, tensor = run_one("topk", rows, k=3, values=1)
    assert result == [[7, 7, 3], [2, 2, 2]]
    assert bounds(tensor) == (0, 7)


def test_gather_reads_rows() -> None:
    table = [("weight", "i16", [[1, 2], [3, 4], [-5, 6]])]
    result, tensor = run_one("gather", [([2, 0], 0, 2)], table)
    assert result == [[-5, 6], [1, 2]]
    assert bounds(tensor) == (-5, 6)


LAYOUT: list[tuple[str, dict[str, Any], Any, tuple[int, int]]] = [
    ("reshape", {"shape": [3, 2]}, [[1, 2], [3, 4], [5, 6]], (0, 9)),
    ("transpose", {"perm": [1, 0]}, [[1, 4], [2, 5], [3, 6]], (0, 9)),
    ("concat", {"axis": 1}, [[1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]], (0, 9)),
    ("slice", {"axis": 1, "start": 0, "stop": 3, "step": 2}, [[1, 3], [4, 6]], (0, 9)),
    (
        "pad",
        {"before": [0, 1], "after": [1, 0], "value": -7},
        [[-7, 1, 2, 3], [-7, 4, 5, 6], [-7, -7, -7, -7]],
        (-7, 9),
    ),
]


@pytest.mark.parametrize(("op", "attributes", "expected", "ends"), LAYOUT)
def test_layout_moves_integers(
    op: str, attributes: dict[str, Any], expected: Any, ends: tuple[int, int]
) -> None:
    draft = Draft()
    draft.add_input((2, 3), 0, 9)
    operands = [0, 0] if op == "concat" else [0]
    draft.add_output(draft.add_node(op, operands, **attributes))
    inputs = {"in0": np.array([[[1, 2, 3], [4, 5, 6]]])}
    run = reference.load(draft.to_bytes()).run(inputs)
    assert run.outputs["out0"][0].tolist() == expected
    assert bounds(draft.tensors[-1]) == ends


def test_expand_repeats() -> None:
    result, tensor = run_one("expand", [([[1], [2]], 0, 2)], shape=[2, 3])
    assert result == [[1, 1, 1], [2, 2, 2]]
    assert bounds(tensor) == (0, 2)


def test_items_of_a_batch_do_not_meet() -> None:
    draft = Draft()
    draft.add_input((3,), 0, 9)
    draft.add_output(draft.add_node("reduce_sum", [0], axes=[0]))
    program = reference.load(draft.to_bytes())
    run = program.run({"in0": np.array([[1, 2, 3], [4, 5, 6]])})
    assert run.outputs["out0"].tolist() == [[6], [15]]


def test_a_run_without_a_trace_keeps_only_outputs() -> None:
    draft = Draft()
    draft.add_input((3,), 0, 9)
    middle = draft.add_node("add", [0], coeff=[2])
    draft.add_output(draft.add_node("add", [middle], coeff=[3]))
    run = reference.load(draft.to_bytes()).run({"in0": np.array([[1, 2, 3]])}, keep_trace=False)
    assert run.outputs["out0"].tolist() == [[6, 12, 18]]
    assert set(run.tensors) == {2}
    with pytest.raises(InputError, match="kept no trace"):
        run.trace_root()


def test_the_row_norm_tightens_a_linear_range_through_layout_ops() -> None:
    norm = {"shift": 0, "u": 8, "fx": 4, "epsilon": 1, "centered": 1}
    draft = Draft()
    draft.add_input((2, 100), -1000, 1000)
    tensor = draft.add_node("layernorm", [0], **norm)
    weight = draft.add_const("weight", "i8", np.ones((1, 100)))
    bias = draft.add_const("weight", "i32", [5])
    # Q = 100 * 2^8, sum w^2 = 100: sqrt(2,560,000) = 1600, plus 100 / 2; Y alone gives 100 * 160.
    moves: list[tuple[str, dict[str, Any]]] = [
        ("reshape", {"shape": [2, 1, 100]}),
        ("transpose", {"perm": [1, 0, 2]}),
        ("expand", {"shape": [1, 2, 100]}),
        ("slice", {"axis": 1, "start": 0, "stop": 1, "step": 1}),
    ]
    for op, attributes in moves:
        tensor = draft.add_node(op, [tensor], **attributes)
        linear = draft.add_node("linear", [tensor], [weight, bias])
        assert bounds(draft.tensors[linear]) == (5 - 1650, 5 + 1650), op
    joined = draft.add_node("concat", [tensor, tensor], axis=0)
    linear = draft.add_node("linear", [joined], [weight, bias])
    assert bounds(draft.tensors[linear]) == (5 - 1650, 5 + 1650)
    draft.add_output(linear)
    reference.load(draft.to_bytes())


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("reshape", {"shape": [100, 2]}),
        ("transpose", {"perm": [1, 0]}),
        ("slice", {"axis": 1, "start": 0, "stop": 100, "step": 1}),
        ("pad", {"before": [0, 0], "after": [1, 0], "value": 0}),
        ("add", {"coeff": [1]}),
    ],
)
def test_the_row_norm_ends_where_rows_change(op: str, attributes: dict[str, Any]) -> None:
    draft = Draft()
    draft.add_input((2, 100), -1000, 1000)
    norm = draft.add_node("layernorm", [0], shift=0, u=8, fx=4, epsilon=1, centered=1)
    assert draft.row_norms == {norm: 100 * 2**8}
    draft.add_node(op, [norm], **attributes)
    assert draft.row_norms == {norm: 100 * 2**8}
