"""Chains in the shape of real layers, where an executor may fuse nodes and skip tensors.

A heavy op is followed by element-wise ops, sometimes with a second reader or an output in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.differential.draft import Draft
from tests.differential.wide_programs import LENGTHS
from veridical.errors import ProgramError
from veridical.reference.graph import MAX_MAGNITUDE, NARROW_MAX, NARROW_MIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Random = np.random.Generator


def chained_program(seed: int) -> Draft:
    """Return a valid draft; the seed decides everything."""
    rng = np.random.default_rng(seed)
    draft = Draft()
    BUILDERS[seed % len(BUILDERS)](draft, rng)
    last = len(draft.tensors) - 1
    between = rng.choice(last + 1, min(last, int(rng.integers(0, 3))), replace=False)
    for tensor in sorted({last, *between.tolist()}):
        draft.add_output(tensor)
    return draft


def _tail(draft: Draft, rng: Random, tensor: int, residual: int | None = None) -> int:
    """Append some element-wise ops; return a narrow tensor."""
    for _ in range(int(rng.integers(0, 4))):
        try:
            tensor = _step(draft, rng, tensor, residual)
        except ProgramError:
            continue
    return _table(draft, rng, tensor)


def _step(draft: Draft, rng: Random, tensor: int, residual: int | None) -> int:
    lo, hi = draft.tensors[tensor]["lo"], draft.tensors[tensor]["hi"]
    kind = int(rng.integers(0, 6))
    if kind == 0:
        node: tuple[str, list[int], dict[str, int | list[int]]]
        node = ("shift", [tensor], {"shift": int(rng.integers(1, 6))})
    elif kind == 1:
        ends = sorted(int(end) for end in rng.integers(lo, hi + 1, 2))
        node = ("clamp", [tensor], {"lo": ends[0], "hi": ends[1]})
    elif kind == 2:
        return _affine(draft, rng, tensor)
    elif kind == 3 and residual is not None:
        node = ("add", [tensor, residual], {"coeff": [int(rng.integers(1, 4)), -3]})
    elif kind == 4:
        node = ("mul", [tensor, tensor], {})
    else:
        return _table(draft, rng, tensor)
    derived = draft.derive(node[0], node[1], [], **node[2])
    if derived.bounds is None or max(map(abs, derived.bounds)) > MAX_MAGNITUDE:
        raise ProgramError("too wide", node[0], "range")
    return draft.add_node(node[0], node[1], **node[2])


def _affine(draft: Draft, rng: Random, tensor: int) -> int:
    shape = draft.tensors[tensor]["shape"]
    reach = max(abs(draft.tensors[tensor]["lo"]), abs(draft.tensors[tensor]["hi"]), 1)
    limit = MAX_MAGNITUDE // (2 * reach)
    if limit < 1 or len(shape) > 6:
        raise ProgramError("too wide", "affine", "range")
    # Per channel: the third axis from the end of an image, the last of anything else.
    axis = len(shape) - (3 if len(shape) == 4 or (len(shape) == 3 and rng.random() < 0.5) else 1)
    one = [size if place == axis else 1 for place, size in enumerate(shape)]
    limit = min(limit, 1000)
    gain = draft.add_const("weight", "i16", rng.integers(-limit, limit + 1, one))
    offset = draft.add_const("weight", "i32", rng.integers(-(2**20), 2**20, one))
    return draft.add_node("affine", [tensor], [gain, offset])


def _table(draft: Draft, rng: Random, tensor: int) -> int:
    """Append a table to signed bytes, unsigned bytes or 16 bits."""
    lo, hi = draft.tensors[tensor]["lo"], draft.tensors[tensor]["hi"]
    shift = max(0, (hi - lo).bit_length() - int(rng.integers(6, 15)))
    shift = min(shift, 16)
    rounding = int(rng.integers(0, 2))
    half = (1 << shift) >> 1 if rounding else 0
    first, last = (lo + half) >> shift, (hi + half) >> shift
    low, high = [(-128, 127), (0, 255), (-2000, 2000), (NARROW_MIN, NARROW_MAX)][
        int(rng.integers(0, 4))
    ]
    rows = np.linspace(low, high, last - first + 1).astype(int)
    if rng.random() < 0.3:
        rows = np.maximum(rows, 0)
    table = draft.add_const("table", str(rng.choice(["i16", "i32"])), rows)
    return draft.add_node("table", [tensor], [table], first=first, round=rounding, shift=shift)


def _weights(rng: Random, shape: tuple[int, ...], depth: int, reach: int) -> NDArray[np.int64]:
    limit = max(1, min(MAX_MAGNITUDE // (2 * depth * reach), int(rng.choice([127, 4000]))))
    return rng.integers(-limit, limit + 1, shape)


def _reach(draft: Draft, tensor: int) -> int:
    entry = draft.tensors[tensor]
    return max(abs(int(entry["lo"])), abs(int(entry["hi"])), 1)


def _linear(draft: Draft, rng: Random, x: int) -> int:
    depth, rows = draft.tensors[x]["shape"][-1], int(rng.choice(LENGTHS))
    weights = _weights(rng, (rows, depth), depth, _reach(draft, x))
    dtype = "i8" if np.abs(weights).max() < 128 else "i16"
    consts = [
        draft.add_const("weight", dtype, weights),
        draft.add_const("weight", "i32", rng.integers(-(2**20), 2**20, rows)),
    ]
    return draft.add_node("linear", [x], consts)


def _perceptron(draft: Draft, rng: Random) -> None:
    lead = (int(rng.choice(LENGTHS[:10])),) if rng.random() < 0.5 else ()
    x = draft.add_input((*lead, int(rng.choice(LENGTHS))), -128, 127)
    for _ in range(int(rng.integers(1, 4))):
        x = _tail(draft, rng, _linear(draft, rng, x))


def _residual(draft: Draft, rng: Random) -> None:
    width = int(rng.choice(LENGTHS[3:]))
    x = draft.add_input((int(rng.choice(LENGTHS[:8])), width), -1000, 1000)
    u = int(rng.integers(8, 16))
    norm = {"shift": 0, "u": u, "fx": u - 4, "epsilon": 9, "centered": int(rng.integers(0, 2))}
    y = draft.add_node("layernorm", [x], **norm)
    y = _table(draft, rng, _linear(draft, rng, _table(draft, rng, y)))
    rows = [draft.tensors[y]["shape"][0], width]
    weights = _weights(rng, (width, draft.tensors[y]["shape"][1]), rows[1] + 200, _reach(draft, y))
    consts = [
        draft.add_const("weight", "i16", weights),
        draft.add_const("weight", "i32", np.zeros(width)),
    ]
    y = _tail(draft, rng, draft.add_node("linear", [y], consts), residual=x)
    total = draft.add_node("add", [y, x], coeff=[1, int(rng.choice([1, 64]))])
    draft.add_node("layernorm", [total], **{**norm, "shift": 0})


def _convolution(draft: Draft, rng: Random) -> None:
    channels, image = int(rng.integers(1, 18)), [int(i) for i in rng.integers(5, 18, 2)]
    x = draft.add_input((channels, *image), 0, 255)
    for _ in range(int(rng.integers(1, 3))):
        depthwise = rng.random() < 0.4
        channels = draft.tensors[x]["shape"][0]
        out = channels if depthwise else int(rng.integers(1, 34))
        kernel = [int(rng.choice([1, 3])), int(rng.choice([1, 3]))]
        shape = (out, 1 if depthwise else channels, *kernel)
        depth = int(np.prod(shape[1:]))
        consts = [
            draft.add_const("weight", "i16", _weights(rng, shape, depth, _reach(draft, x))),
            draft.add_const("weight", "i32", rng.integers(-(2**20), 2**20, out)),
        ]
        pad = [kernel[0] // 2, kernel[1] // 2] * 2
        geometry = {"stride": [1, int(rng.integers(1, 3))], "dilation": [1, 1]}
        groups = channels if depthwise else 1
        y = draft.add_node("conv", [x], consts, pad=pad, groups=groups, **geometry)
        x = _tail(draft, rng, y)
    if rng.random() < 0.5:
        op = str(rng.choice(["max_pool", "sum_pool"]))
        window = {"kernel": [2, 2], "stride": [2, 2], "pad": [0, 0, 1, 1], "dilation": [1, 1]}
        x = draft.add_node(op, [x], **window)
    shape = draft.tensors[x]["shape"]
    if rng.random() < 0.5:
        x = draft.add_node("reshape", [_table(draft, rng, x)], shape=[int(np.prod(shape))])
        _tail(draft, rng, _linear(draft, rng, x))


def _attention(draft: Draft, rng: Random) -> None:
    length, heads, size = int(rng.choice(LENGTHS[:14])), int(rng.integers(1, 4)), 8
    x = draft.add_input((length, heads * size), -1000, 1000)
    mask = draft.add_input((1, length, length), 0, 1) if rng.random() < 0.5 else None
    parts = []
    for _ in range(3):
        weights = _weights(rng, (heads * size, heads * size), heads * size, 1000)
        consts = [
            draft.add_const("weight", "i16", weights),
            draft.add_const("weight", "i32", np.zeros(heads * size)),
        ]
        y = _table(draft, rng, draft.add_node("linear", [x], consts))
        while _reach(draft, y) > 2000:
            y = draft.add_node("shift", [y], shift=4)
        y = draft.add_node("reshape", [y], shape=[length, heads, size])
        parts.append(draft.add_node("transpose", [y], perm=[1, 0, 2]))
    scores = draft.add_node("matmul", parts[:2], transpose_b=1)
    span = draft.tensors[scores]["hi"] - draft.tensors[scores]["lo"]
    shift = max(0, span.bit_length() - 10)
    rows = np.maximum(0, 120 - np.arange((span >> shift) + 1) // 3)
    table = draft.add_const("table", "i16", rows)
    operands = [scores] if mask is None else [scores, mask]
    e = draft.add_node("softmax_numerator", operands, [table], shift=shift)
    mean = draft.add_node("weighted_mean", [e, parts[2]])
    back = draft.add_node("transpose", [mean], perm=[1, 0, 2])
    flat = draft.add_node("reshape", [back], shape=[length, heads * size])
    _tail(draft, rng, _linear(draft, rng, flat), residual=flat)


BUILDERS: list[Callable[[Draft, Random], None]] = [
    _perceptron,
    _residual,
    _convolution,
    _attention,
]
