"""Programs of one heavy op at the sizes and values where vector kernels break.

Lengths lie around multiples of vector widths; weights and inputs are often only the ends of their
type, where 16 bit pairs and saturating 8 bit products would overflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.differential.draft import DTYPES, Draft
from veridical.reference.graph import MAX_MAGNITUDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Random = np.random.Generator

LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 127, 128, 129]
LONG = [*LENGTHS, 191, 255, 256, 257, 383, 511, 513, 768, 1000, 1025, 2049]

#: Input ranges: signed and unsigned bytes, 16 bits, and some between.
RANGES = [(-128, 127), (0, 255), (-127, 127), (0, 1), (-32768, 32767), (0, 32767), (-1000, 900)]


def wide_program(seed: int) -> Draft:
    """Return a valid draft; the seed decides everything."""
    rng = np.random.default_rng(seed)
    build = BUILDERS[seed % len(BUILDERS)]
    draft = Draft()
    build(draft, rng)
    draft.add_output(len(draft.tensors) - 1)
    return draft


def wide_inputs(draft: Draft, rng: Random, batch: int) -> dict[str, NDArray[np.int32]]:
    """Return inputs: all ends, or all one end, or anything."""
    result = {}
    for index, item in enumerate(draft.inputs):
        tensor = draft.tensors[index]
        shape, lo, hi = (batch, *tensor["shape"]), tensor["lo"], tensor["hi"]
        kind = int(rng.integers(0, 4))
        if kind == 0:
            values = rng.choice(np.array([lo, hi]), shape)
        elif kind == 1:
            values = np.full(shape, rng.choice(np.array([lo, hi])))
        else:
            values = rng.integers(lo, hi, shape, endpoint=True)
        result[item["name"]] = values.astype(np.int32)
    return result


def _length(rng: Random, lengths: list[int]) -> int:
    return int(rng.choice(lengths))


def _range(rng: Random) -> tuple[int, int]:
    lo, hi = RANGES[int(rng.integers(0, len(RANGES)))]
    return lo, hi


def _weights(
    rng: Random, dtype: str, shape: tuple[int, ...], depth: int, bounds: tuple[int, int]
) -> NDArray[Any]:
    """Return weights, as large as the magnitude limit of the result allows."""
    reach = max(abs(bounds[0]), abs(bounds[1]))
    limit = min(MAX_MAGNITUDE // (2 * depth * reach), 127 if dtype == "i8" else 32767)
    kind = int(rng.integers(0, 3))
    if kind == 0:
        values = rng.choice(np.array([-limit, limit]), shape)
    elif kind == 1:
        values = np.full(shape, int(rng.choice(np.array([-limit, limit]))))
    else:
        values = rng.integers(-limit, limit, shape, endpoint=True)
    if dtype == "i8" and limit == 127 and rng.random() < 0.5:
        values = np.where(values == -127, -128, values)
    return values.astype(DTYPES[dtype])


def _bias(rng: Random, length: int) -> NDArray[Any]:
    return rng.integers(-(2**20), 2**20, length).astype(np.int32)


def _linear(draft: Draft, rng: Random) -> None:
    depth, rows, bounds = _length(rng, LONG), _length(rng, LENGTHS), _range(rng)
    dtype = str(rng.choice(["i8", "i16"]))
    lead = (_length(rng, LENGTHS[:12]),) if rng.random() < 0.5 else ()
    draft.add_input((*lead, depth), *bounds)
    weight = draft.add_const("weight", dtype, _weights(rng, dtype, (rows, depth), depth, bounds))
    draft.add_node("linear", [0], [weight, draft.add_const("weight", "i32", _bias(rng, rows))])


def _conv(draft: Draft, rng: Random) -> None:
    bounds, dtype = _range(rng), str(rng.choice(["i8", "i16"]))
    kernel = [int(i) for i in rng.choice([1, 1, 2, 3, 3, 5, 7], 2)]
    image = [int(rng.integers(k, k + 20)) for k in kernel]
    kind = int(rng.integers(0, 3))
    if kind == 0:  # depthwise
        groups = channels = out_channels = _length(rng, LENGTHS[:14])
    else:
        groups = int(rng.choice([1, 1, 2, 4]))
        channels = groups * int(rng.integers(1, 20))
        out_channels = groups * int(rng.integers(1, 20))
    shape = (out_channels, channels // groups, *kernel)
    depth = int(np.prod(shape[1:]))
    draft.add_input((channels, *image), *bounds)
    weight = draft.add_const("weight", dtype, _weights(rng, dtype, shape, depth, bounds))
    draft.add_node(
        "conv",
        [0],
        [weight, draft.add_const("weight", "i32", _bias(rng, out_channels))],
        stride=[int(i) for i in rng.integers(1, 4, 2)],
        pad=[int(i) for i in rng.integers(0, 4, 4)],
        dilation=[1, 1] if rng.random() < 0.7 else [1 + (kernel[0] == 1), 1 + (kernel[1] == 1)],
        groups=groups,
    )


def _matmul(draft: Draft, rng: Random) -> None:
    depth, rows, columns = _length(rng, LONG[:-4]), _length(rng, LENGTHS), _length(rng, LENGTHS)
    lead = (int(rng.integers(1, 5)),) if rng.random() < 0.7 else ()
    transpose_b = int(rng.integers(0, 2))
    bounds = _range(rng)
    other = min(MAX_MAGNITUDE // (depth * max(-bounds[0], bounds[1])), 32767)
    low = -other if rng.random() < 0.5 else 0
    draft.add_input((*lead, rows, depth), *bounds)
    shape = (columns, depth) if transpose_b else (depth, columns)
    draft.add_input((*lead, *shape), low, other)
    draft.add_node("matmul", [0, 1], transpose_b=transpose_b)


def _weighted_mean(draft: Draft, rng: Random) -> None:
    depth, rows, columns = _length(rng, LONG[:-4]), _length(rng, LENGTHS), _length(rng, LENGTHS)
    lead = (int(rng.integers(1, 5)),) if rng.random() < 0.7 else ()
    high = min(2 ** int(rng.integers(1, 15)), 32767)
    largest = min(MAX_MAGNITUDE // (depth * high), 2**30 // (depth * high) // 2, 32767)
    low = int(rng.integers(0, 2))
    draft.add_input((*lead, rows, depth), low, max(high, 1))
    draft.add_input((*lead, depth, columns), -(largest // 2), max(largest // 2, 1) - 1)
    draft.add_node("weighted_mean", [0, 1])


def _layernorm(draft: Draft, rng: Random) -> None:
    length = _length(rng, [size for size in LONG if size <= 1000] + [1023, 1024])
    shift = int(rng.integers(0, 12))
    top = 508 * 2**10 if shift == 11 else 2**19
    reach = (top - 1) << shift
    u = int(rng.integers(8, 22))
    draft.add_input((_length(rng, LENGTHS[:8]), length), -min(reach, MAX_MAGNITUDE), reach)
    draft.add_node(
        "layernorm",
        [0],
        shift=shift,
        u=u,
        fx=max(0, u - int(rng.integers(6, 14))),
        epsilon=int(rng.integers(4, 2**20)),
        centered=int(rng.integers(0, 2)) if length <= 1000 else 1,
    )


def _softmax(draft: Draft, rng: Random) -> None:
    length, lo = _length(rng, LONG), int(rng.integers(-(2**29), 0))
    distance = int(2 ** rng.integers(3, 29))
    shift = max(0, distance.bit_length() - 13)
    rows = (distance >> shift) + 1
    values = np.sort(rng.integers(0, 30_000, rows))[::-1].copy()
    values[0] = max(1, values.max())
    draft.add_input((_length(rng, LENGTHS[:8]), length), lo, lo + distance)
    if rng.random() < 0.5:
        draft.add_input((1, length), 0, 1)
    operands = list(range(len(draft.inputs)))
    table = draft.add_const("table", str(rng.choice(["i16", "i32"])), values)
    draft.add_node("softmax_numerator", operands, [table], shift=shift)


def _table(draft: Draft, rng: Random) -> None:
    shift = int(rng.integers(0, 17))
    rows = int(min(65536, 2**30 >> shift))
    first = -int(rng.integers(0, rows))
    lo, hi = max(first << shift, -MAX_MAGNITUDE), ((first + rows - 1) << shift) - 1
    draft.add_input((_length(rng, LONG),), lo, max(min(hi, MAX_MAGNITUDE), lo))
    limit = int(rng.choice([2**15 - 1, MAX_MAGNITUDE]))
    values = rng.integers(-limit, limit, rows)
    table = draft.add_const("table", "i16" if limit < 2**15 else "i32", values)
    draft.add_node("table", [0], [table], shift=shift, first=first, round=int(rng.integers(0, 2)))


def _elementwise(draft: Draft, rng: Random) -> None:
    length = _length(rng, LONG)
    draft.add_input((3, length), -(2**20), 2**20)
    draft.add_input((1, length), -(2**9), 2**9)
    draft.add_input((3, 1), -3, 3)
    total = draft.add_node("add", [0, 1, 2], coeff=[-500, 3, 2**24])
    draft.add_node("shift", [0], shift=int(rng.integers(1, 17)))
    draft.add_node("mul", [1, 2])
    gain = draft.add_const("weight", "i16", rng.integers(-400, 400, (1, length)))
    offset = draft.add_const("weight", "i32", rng.integers(-(2**20), 2**20, (3, 1)))
    scaled = draft.add_node("affine", [0], [gain, offset])
    draft.add_node("concat", [total, scaled], axis=int(rng.integers(0, 2)))


def _pools(draft: Draft, rng: Random) -> None:
    channels, image = _length(rng, LENGTHS[:12]), [int(i) for i in rng.integers(6, 40, 2)]
    geometry = {
        "kernel": [int(i) for i in rng.integers(2, 6, 2)],
        "stride": [int(i) for i in rng.integers(1, 4, 2)],
        "pad": [int(i) for i in rng.integers(0, 2, 4)],
        "dilation": [1, 1],
    }
    draft.add_input((channels, *image), -(2**24), 2**24)
    pooled = [draft.add_node(op, [0], **geometry) for op in ("max_pool", "sum_pool")]
    draft.add_node("concat", pooled, axis=0)


BUILDERS: list[Callable[[Draft, Random], None]] = [
    _linear,
    _conv,
    _matmul,
    _weighted_mean,
    _layernorm,
    _softmax,
    _table,
    _elementwise,
    _pools,
]
