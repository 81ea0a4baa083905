"""Conditions of spec/v1/program.md, sections 4.1 to 4.9, each missed by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.differential.draft import Draft
from tests.differential.near_miss_case import WIDE, M, case, one, table, weight
from veridical.reference.graph import FIELD_PRIME

# --- narrow operands -----------------------------------------------------------------------------


def _narrow(op: str, position: int, top: bool) -> Callable[[bool], Draft]:
    def build(broken: bool) -> Draft:
        wide = (-100, 32767 + broken) if top else (-32768 - broken, 100)
        plain = (0, 3)
        if op in ("weighted_mean", "normalize") and position == 0:
            wide = (0, 32767 + broken)
        ranges = [plain, plain]
        ranges[position] = wide
        a, b = ((2, 2), *ranges[0]), ((2, 2), *ranges[1])
        if op == "linear":
            consts = [weight("i8", [[1, 1]]), weight("i32", [0])]
            return one(op, [a], (2, 1), WIDE, consts)
        if op == "conv":
            image = ((1, 2, 2), *ranges[0])
            consts = [weight("i8", np.ones((1, 1, 2, 2))), weight("i32", [0])]
            geometry = {"stride": [1, 1], "pad": [0] * 4, "dilation": [1, 1], "groups": 1}
            return one(op, [image], (1, 1, 1), WIDE, consts, **geometry)
        if op == "normalize":
            return one(op, [a], (2, 2), WIDE, digits=[4, 0])
        attributes = {"transpose_b": 0} if op == "matmul" else {}
        return one(op, [a, b], (2, 2), WIDE, **attributes)

    return build


for _op, _position, _top in [
    ("linear", 0, True),
    ("linear", 0, False),
    ("conv", 0, True),
    ("conv", 0, False),
    ("matmul", 0, True),
    ("matmul", 1, False),
    ("weighted_mean", 0, True),
    ("weighted_mean", 1, True),
    ("weighted_mean", 1, False),
    ("normalize", 0, True),
]:
    _name = f"narrow_{_op}_{_position}_{'top' if _top else 'bottom'}"
    case(_name, "narrow", _narrow(_op, _position, _top))


# --- linear, conv, matmul ------------------------------------------------------------------------

PLAIN = ((2, 3), -9, 9)
LIMIT = 2**15  # of every window attribute
GEOMETRY: dict[str, Any] = {
    "stride": [1, 1],
    "pad": [0, 0, 0, 0],
    "dilation": [1, 1],
    "groups": 2,
}


def _linear(
    columns: int = 3, dtype: str = "i8", bias: int = 2, bias_dtype: str = "i32", rank: int = 2
) -> Draft:
    shape = (2, columns) if rank == 2 else (2, columns, 1)
    consts = [weight(dtype, np.ones(shape)), weight(bias_dtype, np.ones(bias))]
    return one("linear", [PLAIN], (2, 2), WIDE, consts)


case("linear_columns", "weight_shape", lambda x: _linear(columns=3 + x))
case("linear_weight_rank", "weight_shape", lambda x: _linear(rank=2 + x))
case("linear_weight_dtype", "dtype", lambda x: _linear(dtype="i32" if x else "i16"))
case("linear_bias_dtype", "dtype", lambda x: _linear(bias_dtype="i16" if x else "i32"))
case("linear_bias_length", "bias_shape", lambda x: _linear(bias=2 + x))


def _linear_top(broken: bool) -> Draft:
    # 32767 * 32000 + 16809216 = M exactly.
    consts = [weight("i16", [[32000]]), weight("i32", [M - 32767 * 32000 + broken])]
    return one("linear", [((1,), 0, 32767)], (1,), WIDE, consts)


case("linear_magnitude", "range", _linear_top)


def _linear_norm(broken: bool) -> Draft:
    """Cauchy-Schwarz: Q = 100 * 2^8, so 100 weights of 1 give 1600, plus 50, not 16000."""
    draft = Draft()
    draft.add_input((100,), -1000, 1000)
    norm = draft.add_node("layernorm", [0], shift=0, u=8, fx=4, epsilon=1, centered=1)
    consts = [
        draft.add_const("weight", "i8", np.ones((1, 100))),
        draft.add_const("weight", "i32", [7]),
    ]
    bounds = (7 - 1650, 7 + 1650 - broken)
    draft.add_output(draft.add_raw_node("linear", [norm], consts, bounds, (1,)))
    return draft


case("linear_row_norm", "range", _linear_norm)


def _linear_norm_odd(broken: bool) -> Draft:
    """Three weights: isqrt_ceil(3 * 2^2 * 3) = 6 and ceil(3 / 2) = 2."""
    draft = Draft()
    draft.add_input((3,), -1000, 1000)
    norm = draft.add_node("layernorm", [0], shift=0, u=8, fx=1, epsilon=1, centered=1)
    consts = [
        draft.add_const("weight", "i8", [[1, -1, 1]]),
        draft.add_const("weight", "i32", [0]),
    ]
    draft.add_output(draft.add_raw_node("linear", [norm], consts, (-8 + broken, 8), (1,)))
    return draft


case("linear_row_norm_rounds_up", "range", _linear_norm_odd)


def _norm_through(op: str, kept: dict[str, Any], lost: dict[str, Any]) -> None:
    def build(broken: bool) -> Draft:
        draft = Draft()
        draft.add_input((100, 100), -1000, 1000)
        norm = draft.add_node("layernorm", [0], shift=0, u=8, fx=4, epsilon=1, centered=1)
        operands = [norm, norm] if op == "concat" else [norm]
        moved = draft.add_node(op, operands, **(lost if broken else kept))
        shape = draft.tensors[moved]["shape"]
        consts = [
            draft.add_const("weight", "i8", np.ones((1, shape[-1]))),
            draft.add_const("weight", "i32", [0]),
        ]
        bounds = (-1650, 1650) if shape[-1] == 100 else (-3000, 3000)
        shape = (*shape[:-1], 1)
        draft.add_output(draft.add_raw_node("linear", [moved], consts, bounds, shape))
        return draft

    case(f"row_norm_through_{op}", "range", build)


_norm_through("reshape", {"shape": [10, 10, 100]}, {"shape": [10, 1000]})
_norm_through("transpose", {"perm": [0, 1]}, {"perm": [1, 0]})
_norm_through("concat", {"axis": 0}, {"axis": 1})
_norm_through(
    "slice",
    {"axis": 0, "start": 1, "stop": 9, "step": 2},
    {"axis": 1, "start": 0, "stop": 100, "step": 1},
)


def _norm_mixed(broken: bool) -> Draft:
    """A concat with a part that has no fact has none."""
    draft = Draft()
    draft.add_input((1, 100), -1000, 1000)
    norm = draft.add_node("layernorm", [0], shift=0, u=8, fx=4, epsilon=1, centered=1)
    other = draft.add_node("add", [norm], coeff=[1])
    joined = draft.add_node("concat", [norm, other if broken else norm], axis=0)
    consts = [
        draft.add_const("weight", "i8", np.ones((1, 100))),
        draft.add_const("weight", "i32", [0]),
    ]
    draft.add_output(draft.add_raw_node("linear", [joined], consts, (-1650, 1650), (2, 1)))
    return draft


case("row_norm_through_mixed_concat", "range", _norm_mixed)


def _conv(
    *,
    groups: int = 2,
    depth: int = 2,
    out_channels: int = 2,
    rank: int = 4,
    kernel: tuple[int, int] = (3, 3),
    out: tuple[int, int] = (3, 3),
    input_shape: tuple[int, ...] = (4, 5, 5),
    **geometry: Any,
) -> Draft:
    shape = (out_channels, depth, *kernel)[:rank]
    consts = [weight("i8", np.ones(shape)), weight("i32", np.ones(out_channels))]
    attributes = {**GEOMETRY, "groups": groups, **geometry}
    result = (*input_shape[:-3], out_channels, *out)
    return one("conv", [(input_shape, -9, 9)], result, WIDE, consts, **attributes)


case("conv_depth", "groups", lambda x: _conv(depth=2 + x))
case("conv_groups", "groups", lambda x: _conv(groups=2 + x))
case("conv_no_groups", "groups", lambda x: _conv(groups=0 if x else 2))
case("conv_out_channels", "groups", lambda x: _conv(out_channels=2 + x))
case("conv_weight_rank", "weight_shape", lambda x: _conv(rank=4 - x))
case("conv_input_rank", "rank", lambda x: _conv(input_shape=(5, 5) if x else (4, 5, 5)))
case("conv_stride", "stride", lambda x: _conv(stride=[1, 1 - x]))
case("conv_stride_length", "stride", lambda x: _conv(stride=[1] * (2 + x)))
case("conv_dilation", "dilation", lambda x: _conv(dilation=[1 - x, 1]))
case("conv_pad", "pad", lambda x: _conv(pad=[0, 0, 0, -x]))
case(
    "conv_dilation_limit",
    "dilation",
    lambda x: _conv(kernel=(1, 3), out=(5, 3), dilation=[LIMIT + x, 1]),
)
case("conv_pad_length", "pad", lambda x: _conv(pad=[0] * (4 - x)))
case("conv_window", "window", lambda x: _conv(kernel=(5 + x, 3), out=(1, 3)))
case("conv_dilated_window", "window", lambda x: _conv(dilation=[2 + x, 1], out=(1, 3)))
case("conv_stride_limit", "stride", lambda x: _conv(stride=[LIMIT + x, 1], out=(1, 3)))
case("conv_pad_limit", "pad", lambda x: _conv(pad=[LIMIT + x, 0, 0, 0], out=(LIMIT + 3 + x, 3)))
case("conv_output_shape", "shape", lambda x: _conv(out=(3, 3 + x)))


def _conv_pad_range(broken: bool) -> Draft:
    """x in [1, 5] with one weight of 2: [2, 10] without padding, [0, 10] with it."""
    consts = [weight("i8", [[[[2]]]]), weight("i32", [0])]
    attributes = {**GEOMETRY, "groups": 1, "pad": [0, 0, int(broken), 0]}
    return one("conv", [((1, 2, 2), 1, 5)], (1, 2 + broken, 2), (2, 10), consts, **attributes)


case("conv_padding_widens_the_range", "range", _conv_pad_range)


def _matmul(a: tuple[int, ...], b: tuple[int, ...], transpose_b: int = 0) -> Draft:
    return one("matmul", [(a, -9, 9), (b, -9, 9)], (2, 3, 4), WIDE, transpose_b=transpose_b)


case("matmul_depth", "matmul_shape", lambda x: _matmul((2, 3, 5), (2, 5 + x, 4)))
case("matmul_leading", "matmul_shape", lambda x: _matmul((2, 3, 5), (2 - x, 5, 4)))
case("matmul_flag", "transpose_b", lambda x: _matmul((2, 3, 4), (2, 4, 4), 1 + x))
case("matmul_transposed", "matmul_shape", lambda x: _matmul((2, 3, 5), (2, 4, 5), 1 - x))


def _matmul_top(broken: bool) -> Draft:
    a, b = ((1, 2), -32768, 0), ((2, 1), -(16256 + broken), 0)
    return one("matmul", [a, b], (1, 1), (0, 2 * 32768 * 16256), transpose_b=0)


case("matmul_range", "range", _matmul_top)

# --- table, shift, softmax -----------------------------------------------------------------------


def _table(
    lo: int, hi: int, rows: int, *, dtype: str = "i16", values: Any = None, **attributes: Any
) -> Draft:
    given = np.zeros(rows) if values is None else values
    return one("table", [((2,), lo, hi)], (2,), WIDE, [table(given, dtype)], **attributes)


case("table_below", "table_reach", lambda x: _table(-8 - x, 7, 4, shift=2, first=-2, round=0))
case("table_above", "table_reach", lambda x: _table(-8, 7 + x, 4, shift=2, first=-2, round=0))
case("table_below_half", "table_reach", lambda x: _table(-10 - x, 5, 4, shift=2, first=-2, round=1))
case("table_above_half", "table_reach", lambda x: _table(-10, 5 + x, 4, shift=2, first=-2, round=1))
case("table_first", "table_reach", lambda x: _table(-8, 7, 5, shift=2, first=-2 + x, round=0))
case("table_size", "table_size", lambda x: _table(0, 5, 32512 + x, shift=16, first=0, round=1))
case("table_shift", "shift", lambda x: _table(0, 5, 2, shift=16 + x, first=0, round=1))
case("table_shift_sign", "shift", lambda x: _table(0, 0, 2, shift=-x, first=0, round=1))
case("table_round", "round", lambda x: _table(0, 5, 9, shift=0, first=0, round=1 + x))


def _table_range(broken: bool) -> Draft:
    """Rows 1 and 2 are reached, rows 0 and 3 are not."""
    bounds = (-3, 5 - broken)
    consts = [table([100, 5, -3, -100])]
    attributes = {"shift": 1, "first": -1, "round": 0}
    return one("table", [((2,), 0, 3)], (2,), bounds, consts, **attributes)


case("table_range", "range", _table_range)


def _table_magnitude(broken: bool) -> Draft:
    consts = [table([0, M + broken], "i32")]
    return one("table", [((2,), 0, 1)], (2,), WIDE, consts, shift=0, first=0, round=0)


case("table_magnitude", "range", _table_magnitude)


def _shift(hi: int, amount: int, lo: int = 0) -> Draft:
    return one("shift", [((2,), lo, hi)], (2,), WIDE, shift=amount)


# y spans 2^14 - 1 at most for w = 14 and a shift of 16: 2^30; one more gives 2^31 > p.
case("shift_width", "shift_range", lambda x: _shift(2**29 - 2**15 - 1 + x, 16, -(2**29)))
case("shift_width_small", "shift_range", lambda x: _shift(2**29 - 2 + x, 1, -(2**29)))
case("shift_low", "shift", lambda x: _shift(5, 1 - x))
case("shift_high", "shift", lambda x: _shift(5, 16 + x))


def _clamp(lo: int, hi: int, bounds: tuple[int, int] = WIDE, reach: int = 50) -> Draft:
    return one("clamp", [((2,), -reach, reach)], (2,), bounds, lo=lo, hi=hi)


case("clamp_order", "hi", lambda x: _clamp(5, 5 - x))
case("clamp_low", "lo", lambda x: _clamp(-M - x, 5))
case("clamp_high", "hi", lambda x: _clamp(-5, M + x))
case("clamp_range", "range", lambda x: _clamp(-5, 7, (-5 + x, 7)))
case("clamp_range_high", "range", lambda x: _clamp(-5, 7, (-5, 7 - x)))
case("clamp_range_of_all_below", "range", lambda x: _clamp(60, 70, (60 + x, 70)))
case("clamp_range_of_all_above", "range", lambda x: _clamp(-70, -60, (-70, -60 - x)))


def _clamp_crossing(lo: int, hi: int, low: int, high: int) -> Draft:
    return one("clamp", [((2,), low, high)], (2,), WIDE, lo=lo, hi=hi)


# Above and below the bound lie a and b: a, b < 2^30, and 2^30 + b <= p where a needs 30 bits.
HALF, ROOM = 2**29, FIELD_PRIME - 2**30


def _clamp_cases(name: str, lo: int, hi: int) -> None:
    """Cross the bound of that name, which is 0 here; the other one is out of reach."""

    def crossed(low: int, bound: int, high: int) -> Draft:
        return _clamp_crossing(lo or bound, hi or bound, low, high)

    case(f"clamp_{name}_below", "clamp_range", lambda x: crossed(-HALF + 1 - x, HALF, HALF + 1))
    case(f"clamp_{name}_above", "clamp_range", lambda x: crossed(-HALF - 1, -HALF, HALF - 1 + x))
    low, bound = -(10**9), ROOM - 10**9
    case(f"clamp_{name}_both", "clamp_range", lambda x: crossed(low - x, bound, bound + HALF))


_clamp_cases("lower", 0, M)
_clamp_cases("upper", -M, 0)
# The lower bound has already raised the range when the upper one is looked at.
case(
    "clamp_upper_after_lower",
    "clamp_range",
    lambda x: _clamp_crossing(-HALF if x else -HALF + 2, HALF, -HALF, HALF + 1),
)
# A bound that the range only touches has no condition.
case(
    "clamp_touched",
    "clamp_range",
    lambda x: _clamp_crossing(-M + x, M, -M, M),
)


def _softmax(
    *,
    lo: int = 0,
    hi: int = 15,
    values: Any = (9, 5, 3, 0),
    shift: int = 2,
    mask: tuple[tuple[int, ...], int, int] | None = None,
    shape: tuple[int, ...] = (2, 3),
    bounds: tuple[int, int] = (0, 9),
) -> Draft:
    operands = [(shape, lo, hi)] + ([mask] if mask else [])
    consts = [table(values, "i32")]
    return one("softmax_numerator", operands, shape, bounds, consts, shift=shift)


case("softmax_reach", "table_reach", lambda x: _softmax(hi=15 + x))
case("softmax_negative_row", "table_sign", lambda x: _softmax(values=(9, 5, 3, -x)))
case("softmax_empty_top", "table_top", lambda x: _softmax(values=(1 - x, 0, 0, 0)))
case("softmax_top", "table_top", lambda x: _softmax(values=(9, 9 + x, 3, 0)))
case("softmax_range", "range", lambda x: _softmax(bounds=(0, 9 - x)))
case("softmax_range_low", "range", lambda x: _softmax(bounds=(int(x), 9)))
case("softmax_shift", "shift", lambda x: _softmax(hi=3, shift=-x))
case("softmax_shift_limit", "shift", lambda x: _softmax(hi=3, shift=16 + x))


def _softmax_size(broken: bool) -> Draft:
    # D + N * 2^16 = p at the limit, with N = 32510 rows and D = 2^17 + 1.
    rows = 32510
    distance = FIELD_PRIME - rows * 2**16 + broken
    values = np.arange(rows) == 0
    return _softmax(hi=distance, values=values, shift=16, bounds=(0, 1))


case("softmax_size", "table_size", _softmax_size)
case("softmax_mask_top", "mask_range", lambda x: _softmax(mask=((2, 3), 0, 1 + x)))
case("softmax_mask_bottom", "mask_range", lambda x: _softmax(mask=((2, 3), -x, 1)))
case("softmax_mask_last", "mask_shape", lambda x: _softmax(mask=((2, 1 if x else 3), 0, 1)))
case("softmax_mask_first", "mask_shape", lambda x: _softmax(mask=((3 if x else 1, 3), 0, 1)))
case("softmax_mask_rank", "mask_shape", lambda x: _softmax(mask=((3,) if x else (1, 3), 0, 1)))

# --- elementwise ---------------------------------------------------------------------------------


def _add(
    coeff: list[int], other: tuple[int, ...] = (2, 1), bounds: tuple[int, int] = WIDE
) -> Draft:
    return one("add", [((2, 3), -1, 1), (other, -1, 1)], (2, 3), bounds, coeff=coeff)


case("add_zero", "coeff", lambda x: _add([1, 1 - x]))
case("add_coefficient", "coeff", lambda x: _add([1, 2**24 + x]))
case("add_coefficient_low", "coeff", lambda x: _add([-(2**24) - x, 1]))
case("add_coefficients", "coeff", lambda x: _add([1] * (2 + x)))
case("add_broadcast", "broadcast", lambda x: _add([1, 1], (2, 1 + x)))
case("add_rank", "broadcast", lambda x: _add([1, 1], (3,) if x else (1, 3)))
case("add_range", "range", lambda x: _add([3, -4], bounds=(-7 + x, 7)))


def _affine(
    gain: Any = ((2,),), offset: Any = ((1, 2, 3),), bounds: tuple[int, int] = WIDE
) -> Draft:
    consts = [weight("i32", gain), weight("i32", offset)]
    return one("affine", [((2, 3), -5, 7)], (2, 3), bounds, consts)


case("affine_gain_shape", "affine_shape", lambda x: _affine(gain=np.ones((2, 3 - x))))
case("affine_offset_rank", "affine_shape", lambda x: _affine(offset=[1] if x else [[1]]))
case("affine_pairs", "range", lambda x: _affine([[1], [-3]], [[10], [20]], (-1, 35 - x)))
case("affine_pairs_low", "range", lambda x: _affine([[1], [-3]], [[10], [20]], (-1 + x, 35)))
case("affine_magnitude", "range", lambda x: _affine([[2**27]], [[M - 7 * 2**27 + x]]))


def _mul(broken: bool) -> Draft:
    """The square of [-3, 2] is [0, 9]; that of two tensors of this range is [-6, 9]."""
    draft = Draft()
    draft.add_input((2,), -3, 2)
    draft.add_input((2,), -3, 2)
    draft.add_output(draft.add_raw_node("mul", [0, int(broken)], [], (0, 9), (2,)))
    draft.add_output(1)
    return draft


case("mul_square", "range", _mul)


def _square(broken: bool) -> Draft:
    draft = Draft()
    draft.add_input((2,), -5, -3)
    draft.add_output(draft.add_raw_node("mul", [0, 0], [], (9 + broken, 25), (2,)))
    return draft


case("mul_square_low", "range", _square)
case(
    "mul_broadcast",
    "broadcast",
    lambda x: one("mul", [((2, 3), -1, 1), ((2, 1 + x), -1, 1)], (2, 3), WIDE),
)
