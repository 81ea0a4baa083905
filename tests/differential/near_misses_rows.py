"""Conditions of spec/v1/program.md, sections 4.10 to 4.16, each missed by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.differential.draft import Draft
from tests.differential.near_miss_case import WIDE, M, case, one, weight
from veridical.reference.graph import FIELD_PRIME

# --- divisions -----------------------------------------------------------------------------------


def _norm(
    length: int = 4, lo: int = -9, hi: int = 9, bounds: tuple[int, int] = WIDE, **changes: int
) -> Draft:
    attributes = {"shift": 0, "u": 8, "fx": 4, "epsilon": 1, "centered": 1, **changes}
    return one("layernorm", [((1, length), lo, hi)], (1, length), bounds, **attributes)


case("layernorm_top", "norm_input", lambda x: _norm(hi=2**19 - 1 + x))
case("layernorm_bottom", "norm_input", lambda x: _norm(lo=-(2**19) - x))
case("layernorm_top_shifted", "norm_input", lambda x: _norm(hi=2**22 - 5 + x, shift=3))
case("layernorm_top_11", "norm_input", lambda x: _norm(hi=508 * 2**21 - 1025 + x, shift=11))
case("layernorm_shift", "shift", lambda x: _norm(shift=11 + x))
case("layernorm_shift_sign", "shift", lambda x: _norm(shift=-x))
case("layernorm_length", "norm_row", lambda x: _norm(length=1024 + x))
case("layernorm_length_uncentred", "norm_row", lambda x: _norm(length=1000 + x, centered=0))
case("layernorm_centered", "centered", lambda x: _norm(centered=1 + x))
case("layernorm_epsilon", "epsilon", lambda x: _norm(epsilon=2**20 + x))
case("layernorm_epsilon_zero", "epsilon", lambda x: _norm(epsilon=1 - x))
case("layernorm_precision", "norm_precision", lambda x: _norm(u=23 + x, fx=10, epsilon=2**10))
case("layernorm_digits_low", "norm_precision", lambda x: _norm(u=8, fx=7 + x))
case("layernorm_digits_high", "norm_precision", lambda x: _norm(u=16 + x, fx=0))
case("layernorm_fx", "norm_precision", lambda x: _norm(u=8, fx=-x))
# isqrt(1024 * 2^46 / epsilon) < 2^28 needs epsilon > 2^0: 2^56 / 1 is 2^28 exactly.
case("layernorm_root", "norm_root", lambda x: _norm(1024, u=23, fx=8, epsilon=2 - x))


def _norm_range(broken: bool) -> Draft:
    # isqrt_ceil(5 * 2^16) = 573; (573 + 8) >> 4 = 36.
    return _norm(5, bounds=(-36, 36 - broken))


case("layernorm_range", "range", _norm_range)


def _mean(
    *,
    e: tuple[tuple[int, ...], int, int] = ((2, 3), 0, 4),
    v: tuple[tuple[int, ...], int, int] = ((3, 2), -5, 5),
    bounds: tuple[int, int] = (-5, 5),
) -> Draft:
    shape = (*e[0][:-1], v[0][-1])
    return one("weighted_mean", [e, v], shape, bounds)


case("mean_depth", "mean_shape", lambda x: _mean(v=((3 + x, 2), -5, 5)))
case("mean_leading", "mean_shape", lambda x: _mean(e=((1 + x, 2, 3), 0, 4), v=((1, 3, 2), -5, 5)))
case("mean_negative", "weight_sign", lambda x: _mean(e=((2, 3), -x, 4)))
case("mean_zero", "weight_bound", lambda x: _mean(e=((2, 3), 0, 1 - x)))
case("mean_range", "range", lambda x: _mean(bounds=(-5, 5 - x)))
# K * E * |v| <= M = 2^23 * 127: 2 * 2^14 * 32512 is M; the next v is 32513.
case(
    "mean_sum",
    "mean_sum",
    lambda x: _mean(e=((1, 2), 0, 2**14), v=((2, 1), 0, 32512 + x), bounds=WIDE),
)


def _mean_width(broken: bool) -> Draft:
    # 2^w * K * E <= p with w = 15 for a width below 2^15: K * E = 65024 gives 2130706432 <= p.
    # |v| is kept small enough for the sum: 65024 * 16384 < M.
    return _mean(e=((1, 4), 0, 16256), v=((4, 1), -16384, 16383 + broken), bounds=(-16384, 16384))


case("mean_width", "mean_range", _mean_width)


def _normalize(high: int, digits: list[int], columns: int = 4, lo: int = 0) -> Draft:
    shape = (1, columns)
    return one("normalize", [(shape, lo, high)], shape, WIDE, digits=digits)


case("normalize_negative", "weight_sign", lambda x: _normalize(5, [4, 0], lo=-x))
case("normalize_zero", "weight_bound", lambda x: _normalize(1 - x, [4, 0]))
case("normalize_digits", "digits", lambda x: _normalize(5, [15, 14 + x]))
case("normalize_high_digits", "digits", lambda x: _normalize(5, [1 - x, 3]))
case("normalize_low_digits", "digits", lambda x: _normalize(5, [4, -x]))
case("normalize_digit_count", "digits", lambda x: _normalize(5, [4, 0, 0] if x else [4, 0]))
# (2^15 + 1) * 2 * 32511 = 2130705918 <= p; with 32512 it is 2130771456.
case("normalize_size", "digit_range", lambda x: _normalize(32511 + x, [15, 0], columns=2))
case("normalize_low_size", "digit_range", lambda x: _normalize(32511 + x, [3, 15], columns=2))

# --- pooling and reductions ----------------------------------------------------------------------


def _pool(
    *,
    op: str = "max_pool",
    lo: int = 1,
    out: tuple[int, int] = (4, 4),
    bounds: tuple[int, int] = WIDE,
    shape: tuple[int, ...] = (2, 5, 5),
    **changes: list[int],
) -> Draft:
    plain = {"kernel": [2, 2], "stride": [1, 1], "pad": [0] * 4, "dilation": [1, 1]}
    result = (*shape[:-2], *out)
    return one(op, [(shape, lo, 9)], result, bounds, **{**plain, **changes})


def _pool_cases(op: str) -> None:
    case(f"{op}_kernel", "kernel", lambda x: _pool(op=op, kernel=[2, 1 - x], out=(4, 5)))
    case(f"{op}_kernel_count", "kernel", lambda x: _pool(op=op, kernel=[2] * (2 + x)))
    case(f"{op}_rank", "rank", lambda x: _pool(op=op, shape=(5, 5) if x else (1, 5, 5)))
    case(f"{op}_window", "window", lambda x: _pool(op=op, kernel=[5 + x, 2], out=(1, 4)))
    case(f"{op}_kernel_limit", "kernel", lambda x: _wide(op, 2**15 + x, 1))
    case(f"{op}_dilation_limit", "dilation", lambda x: _wide(op, 1, 2**15 + x))
    before, after = [1, 0, 0, 0], [0, 0, 0, 1]
    case(f"{op}_padding_only", "window", lambda x: _padded(op, before, x))
    case(f"{op}_padding_only_after", "window", lambda x: _padded(op, after, x))


def _wide(op: str, kernel: int, dilation: int) -> Draft:
    """A kernel as long as the image."""
    shape, window, taps = (1, 1, kernel), [1, kernel], [1, dilation]
    return _pool(op=op, shape=shape, kernel=window, dilation=taps, out=(1, 1))


def _padded(op: str, pad: list[int], broken: bool) -> Draft:
    """A border of one leaves every window a real position; a border of two does not."""
    pad = [size * (1 + broken) for size in pad]
    return _pool(op=op, pad=pad, out=(4 + pad[0] + pad[2], 4 + pad[1] + pad[3]))


_pool_cases("max_pool")
_pool_cases("sum_pool")


def _pool_hole(broken: bool) -> Draft:
    """A dilated window may straddle the image: size 1, taps at -1 and 1 miss position 0."""
    pad = [0, 1, 0, 1]
    kernel = [1, 2] if broken else [1, 3]
    dilation = [1, 2] if broken else [1, 1]
    return _pool(shape=(1, 1, 1), kernel=kernel, pad=pad, dilation=dilation, out=(1, 1))


case("max_pool_straddles", "window", _pool_hole)
case("sum_pool_range", "range", lambda x: _pool(op="sum_pool", bounds=(4, 36 - x)))
case("sum_pool_range_low", "range", lambda x: _pool(op="sum_pool", bounds=(4 + x, 36)))
case(
    "sum_pool_padded",
    "range",
    lambda x: _pool(op="sum_pool", bounds=(4, 36), pad=[0, 0, int(x), 0], out=(4 + x, 4)),
)
case("max_pool_range", "range", lambda x: _pool(bounds=(1 + x, 9)))


def _reduce(op: str, axes: list[int], shape: tuple[int, ...], bounds: tuple[int, int]) -> Draft:
    return one(op, [((2, 3), -4, 9)], shape, bounds, axes=axes)


case("reduce_no_axes", "axes", lambda x: _reduce("reduce_sum", [] if x else [0], (1, 3), WIDE))
case("reduce_axis", "axes", lambda x: _reduce("reduce_max", [1 + x], (2, 1), WIDE))
case("reduce_negative", "axes", lambda x: _reduce("reduce_max", [-1 if x else 1], (2, 1), WIDE))
case("reduce_order", "axes", lambda x: _reduce("reduce_sum", [1, 0] if x else [0, 1], (1, 1), WIDE))
case("reduce_twice", "axes", lambda x: _reduce("reduce_sum", [1, 1] if x else [1], (2, 1), WIDE))
case("reduce_sum_range", "range", lambda x: _reduce("reduce_sum", [0, 1], (1, 1), (-24, 54 - x)))
case("reduce_max_range", "range", lambda x: _reduce("reduce_max", [0], (1, 3), (-4 + x, 9)))
case("reduce_keeps", "shape", lambda x: _reduce("reduce_sum", [0], (3,) if x else (1, 3), WIDE))


# H - L + 1 + 2^w <= p with w = 30: 1056964609 values fit exactly.
def _order(op: str, **attributes: int) -> Callable[[bool], Draft]:
    return lambda x: one(
        op, [((1, 3), -(2**29), FIELD_PRIME - 2**30 - 1 - 2**29 + x)], (1, 1), WIDE, **attributes
    )


case("argmax_width", "order_range", _order("argmax"))
# Without the 1, a maximum: H - L + 2^w <= p.
case(
    "reduce_max_width",
    "max_spread",
    lambda x: one(
        "reduce_max",
        [((1, 3), -(2**29), FIELD_PRIME - 2**30 - 2**29 + x)],
        (1, 1),
        WIDE,
        axes=[1],
    ),
)
case(
    "max_pool_width",
    "max_spread",
    lambda x: one(
        "max_pool",
        [((1, 1, 3), -(2**29), FIELD_PRIME - 2**30 - 2**29 + x)],
        (1, 1, 2),
        WIDE,
        kernel=[1, 2],
        stride=[1, 1],
        pad=[0, 0, 0, 0],
        dilation=[1, 1],
    ),
)
case("topk_width", "order_range", _order("topk", k=1, values=1))


def _topk(k: int, values: int, bounds: tuple[int, int] = WIDE) -> Draft:
    return one("topk", [((2, 5), -4, 9)], (2, max(k, 1)), bounds, k=k, values=values)


case("topk_count", "k", lambda x: _topk(5 + x, 0))
case("topk_none", "k", lambda x: _topk(1 - x, 0))
case("topk_flag", "values", lambda x: _topk(2, 1 + x))
case("topk_indices", "range", lambda x: _topk(2, 0, (0, 4 - x)))
case("topk_values", "range", lambda x: _topk(2, 1, (-4 + x, 9)))
case("argmax_range", "range", lambda x: one("argmax", [((2, 5), -4, 9)], (2, 1), (0, 4 - x)))
case("argmax_shape", "shape", lambda x: one("argmax", [((2, 5), -4, 9)], (2, 1 + x), WIDE))

# --- gather and layout ---------------------------------------------------------------------------


def _gather(
    lo: int = 0, hi: int = 2, bounds: tuple[int, int] = (-5, 6), shape: tuple[int, ...] = (4, 2)
) -> Draft:
    consts = [weight("i16", [[1, 2], [3, 4], [-5, 6]])]
    return one("gather", [((4,), lo, hi)], shape, bounds, consts)


case("gather_above", "gather_range", lambda x: _gather(hi=2 + x))
case("gather_below", "gather_range", lambda x: _gather(lo=-x))
case("gather_range", "range", lambda x: _gather(bounds=(-5 + x, 6)))
case("gather_shape", "shape", lambda x: _gather(shape=(2, 4) if x else (4, 2)))


def _layout(
    op: str, shape: tuple[int, ...], bounds: tuple[int, int] = (-4, 9), /, **attributes: Any
) -> Draft:
    return one(op, [((2, 3), -4, 9)], shape, bounds, **attributes)


case("reshape_elements", "reshape", lambda x: _layout("reshape", (6 + x,), shape=[6 + x]))
case("reshape_declared", "shape", lambda x: _layout("reshape", (3, 2 + x), shape=[3, 2]))
case("reshape_range", "range", lambda x: _layout("reshape", (6,), (-4, 9 - x), shape=[6]))
case("reshape_zero", "shape", lambda x: _layout("reshape", (6,), shape=[0] if x else [6]))
case("reshape_nothing", "shape", lambda x: _layout("reshape", (6,), shape=[] if x else [6]))
case("transpose_twice", "perm", lambda x: _layout("transpose", (3, 2), perm=[1, int(x)]))
case("transpose_rank", "perm", lambda x: _layout("transpose", (3, 2), perm=[1, 0, 2][: 2 + x]))
case("transpose_axis", "perm", lambda x: _layout("transpose", (3, 2), perm=[1, -1 if x else 0]))


def _expand(shape: list[int], declared: tuple[int, ...]) -> Draft:
    return one("expand", [((2, 1), -4, 9)], declared, (-4, 9), shape=shape)


case("expand_other", "expand", lambda x: _expand([2 + 2 * x, 3], (2 + 2 * x, 3)))
case("expand_rank", "expand", lambda x: _expand([1, 2, 3] if x else [2, 3], (2, 3)))
case("expand_zero", "shape", lambda x: _expand([2, 0 if x else 3], (2, 3)))


def _concat(axis: int, other: tuple[int, ...], bounds: tuple[int, int] = (-4, 9)) -> Draft:
    return one("concat", [((2, 3), -4, 5), (other, 0, 9)], (2, 5), bounds, axis=axis)


case("concat_axis", "axis", lambda x: _concat(1 + x, (2, 2)))
case("concat_negative", "axis", lambda x: _concat(-1 if x else 1, (2, 2)))
case("concat_other", "concat", lambda x: _concat(1, (2 + x, 2)))
case("concat_rank", "concat", lambda x: _concat(1, (2,) if x else (2, 2)))
case("concat_range", "range", lambda x: _concat(1, (2, 2), (-4, 9 - x)))


def _slice(axis: int = 1, start: int = 0, stop: int = 3, step: int = 1, size: int = 3) -> Draft:
    return _layout("slice", (2, size), axis=axis, start=start, stop=stop, step=step)


case("slice_stop", "slice", lambda x: _slice(stop=3 + x))
case("slice_start", "slice", lambda x: _slice(start=-x))
case("slice_empty", "slice", lambda x: _slice(start=2 + x, size=1))
case("slice_step", "slice", lambda x: _slice(step=1 - x))
case("slice_step_limit", "slice", lambda x: _slice(step=2**24 + x, size=1))
case("slice_axis", "axis", lambda x: _slice(axis=1 + x))
case("slice_size", "shape", lambda x: _slice(step=2, size=2 - x))


def _pad(
    before: list[int], shape: tuple[int, ...], value: int = 0, bounds: tuple[int, int] = (-4, 9)
) -> Draft:
    return _layout("pad", shape, bounds, before=before, after=[0, 0], value=value)


case("pad_negative", "pad", lambda x: _pad([0, -x], (2, 3)))
case("pad_rank", "before", lambda x: _pad([0] * (2 + x), (2, 3)))
case("pad_value_in_range", "range", lambda x: _pad([0, 1], (2, 4), 9 + x))
case("pad_value_without_border", "range", lambda x: _pad([0, 0], (2, 3), -4 - x))
case("pad_value", "value", lambda x: _pad([0, 1], (2, 4), M + x, WIDE))
