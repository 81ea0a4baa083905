"""Random valid programs over all ops of spec/v1/program.md, section 4.

A proposal draws operands and attributes that are likely to fit; the reference's conditions decide.
A proposal that they refuse is dropped, so that everything which comes out is valid by construction,
and wide operands are first brought back to 16 bits by `shift` or `table`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.differential.draft import DTYPES, Draft
from veridical.errors import ProgramError
from veridical.reference.graph import FIELD_PRIME, MAX_MAGNITUDE, NARROW_MAX, NARROW_MIN, OPS

Random = np.random.Generator

MAX_ITEM_ELEMENTS = 6000


def random_program(seed: int, *, max_nodes: int = 14) -> Draft:
    """Return a valid draft; the seed decides everything."""
    rng = np.random.default_rng(seed)
    draft = Draft()
    for _ in range(int(rng.integers(1, 4))):
        _random_input(draft, rng)
    target = int(rng.integers(1, max_nodes + 1))
    attempts = 0
    while len(draft.nodes) < target and attempts < 40 * max_nodes:
        attempts += 1
        op = str(rng.choice(list(PROPOSALS)))
        try:
            _propose(draft, rng, op)
        except ProgramError:
            _drop_unused_consts(draft)
    if not draft.nodes:
        draft.add_node("add", [0], coeff=[1])
    _random_outputs(draft, rng)
    if rng.random() < 0.3:
        draft.salt = rng.bytes(32)
    if rng.random() < 0.2:
        draft.aliases = {"sha256": rng.bytes(32).hex(), "oms": "none"}
    return draft


def random_inputs(draft: Draft, rng: Random, batch: int) -> dict[str, NDArray[np.int32]]:
    """Return integers inside the declared ranges, ends included more often than by chance."""
    result = {}
    for index, item in enumerate(draft.inputs):
        tensor = draft.tensors[index]
        shape = (batch, *tensor["shape"])
        lo, hi = tensor["lo"], tensor["hi"]
        values = rng.integers(lo, hi, shape, endpoint=True, dtype=np.int64)
        ends = rng.random(shape)
        values = np.where(ends < 0.05, lo, np.where(ends > 0.95, hi, values))
        if rng.random() < 0.3:  # near ties: few distinct values
            middle = int(rng.integers(lo, hi, endpoint=True))
            values = np.clip(middle + rng.integers(-1, 1, shape, endpoint=True), lo, hi)
        result[item["name"]] = values.astype(np.int32)
    return result


def ops_of(draft: Draft) -> set[str]:
    return {node["op"] for node in draft.nodes}


def _drop_unused_consts(draft: Draft) -> None:
    """Drop what a refused proposal left; a table that it needed on the way may stay."""
    used = 1 + max((const for node in draft.nodes for const in node["c"]), default=-1)
    del draft.consts[used:], draft.values[used:]


def _random_input(draft: Draft, rng: Random) -> None:
    rank = int(rng.choice([1, 2, 3, 4], p=[0.15, 0.3, 0.35, 0.2]))
    shape = tuple(int(size) for size in rng.integers(1, 9, rank))
    lo, hi = _random_range(rng)
    encode: dict[str, Any] = {"kind": "integer"}
    if rng.random() < 0.6:
        shift = int(rng.integers(-20, 21))
        encode = {"kind": "real", "mul": int(rng.integers(1, 2**31)), "shift": shift}
    draft.add_input(shape, lo, hi, encode=encode)


def _random_range(rng: Random) -> tuple[int, int]:
    kind = rng.random()
    if kind < 0.15:
        return 0, 1
    if kind < 0.3:
        return 0, int(rng.integers(1, 300))
    if kind < 0.8:
        bound = 2 ** int(rng.integers(3, 16))
        return -bound, bound - 1
    if kind < 0.9:
        lo = int(rng.integers(-(2**20), 2**20))
        return lo, lo + int(rng.integers(0, 2**20))
    return -MAX_MAGNITUDE, MAX_MAGNITUDE


def _random_outputs(draft: Draft, rng: Random) -> None:
    tensors = {len(draft.tensors) - 1}
    tensors |= {int(t) for t in rng.integers(0, len(draft.tensors), int(rng.integers(0, 3)))}
    for tensor in sorted(tensors):
        mul, shift = int(rng.integers(1, 2**22)), int(rng.integers(-96, 97))
        draft.add_output(tensor, mul=mul, shift=shift)


def _propose(draft: Draft, rng: Random, op: str) -> None:
    before = len(draft.tensors)
    PROPOSALS[op](draft, rng)
    if len(draft.tensors) == before:
        return
    tensor = draft.tensors[-1]
    if rng.random() < 0.15 and op != "softmax_numerator":  # a wider declaration is valid as well
        tensor["lo"] = max(-MAX_MAGNITUDE, tensor["lo"] - int(rng.integers(0, 5)))
        tensor["hi"] = min(MAX_MAGNITUDE, tensor["hi"] + int(rng.integers(0, 5)))


def _add(draft: Draft, op: str, operands: list[int], *consts: int, **attributes: Any) -> int:
    """Append a node if its rule allows it and it stays small."""
    derived = draft.derive(op, operands, list(consts), **attributes)
    lo, hi = derived.bounds or (0, 0)
    too_large = max(abs(lo), abs(hi)) > MAX_MAGNITUDE or len(derived.shape) > 8
    if too_large or int(np.prod(derived.shape)) > MAX_ITEM_ELEMENTS:
        raise ProgramError("larger than a random program should be", op, "size")
    return draft.add_node(op, operands, list(consts), **attributes)


def _pick(draft: Draft, rng: Random, rank: int = 1) -> int:
    """Return a tensor of at least this rank; later ones are more likely."""
    fitting = [i for i, t in enumerate(draft.tensors) if len(t["shape"]) >= rank]
    if not fitting:
        raise ProgramError("no tensor of this rank", None, "rank")
    weights = np.arange(1, len(fitting) + 1, dtype=np.float64) ** 2
    return int(rng.choice(fitting, p=weights / weights.sum()))


def _pick_narrow(draft: Draft, rng: Random, rank: int = 1) -> int:
    tensor = _pick(draft, rng, rank)
    return _narrowed(draft, rng, tensor)


def _narrowed(draft: Draft, rng: Random, tensor: int) -> int:
    """Return a narrow tensor of the same shape."""
    lo, hi = draft.tensors[tensor]["lo"], draft.tensors[tensor]["hi"]
    if lo >= NARROW_MIN and hi <= NARROW_MAX:
        return tensor
    if rng.random() < 0.5:
        return _table(draft, rng, tensor, low=-(2**11), high=2**11)
    shift = max(1, max(-lo, hi).bit_length() - 14)
    return _add(draft, "shift", [tensor], shift=min(shift, 16))


def _pick_weights(draft: Draft, rng: Random, rank: int = 1) -> int:
    """Return a tensor that is never negative and is positive somewhere."""
    tensor = _pick(draft, rng, rank)
    if draft.tensors[tensor]["lo"] >= 0 and 1 <= draft.tensors[tensor]["hi"] <= NARROW_MAX:
        return tensor
    high = int(2 ** rng.integers(1, 9))
    low = 0 if rng.random() < 0.1 else 1
    return _table(draft, rng, tensor, low=low, high=high)


def _shape(draft: Draft, tensor: int) -> list[int]:
    return list(draft.tensors[tensor]["shape"])


def _random_array(rng: Random, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    width = {"i8": 8, "i16": 16, "i32": 32}[dtype]
    bits = int(rng.integers(2, min(width, 20)))
    array = rng.integers(-(2**bits), 2**bits, shape, dtype=np.int64)
    limit = 2 ** (width - 1)
    return np.clip(array, -limit, limit - 1).astype(DTYPES[dtype])


def _weight(draft: Draft, rng: Random, shape: tuple[int, ...], *dtypes: str) -> int:
    dtype = str(rng.choice(dtypes))
    return draft.add_const("weight", dtype, _random_array(rng, dtype, shape))


def _linear(draft: Draft, rng: Random) -> None:
    x = _pick_narrow(draft, rng)
    rows = int(rng.integers(1, 40))
    weight = _weight(draft, rng, (rows, _shape(draft, x)[-1]), "i8", "i16")
    _add(draft, "linear", [x], weight, _weight(draft, rng, (rows,), "i32"))


def _window(draft: Draft, rng: Random, x: int) -> tuple[list[int], dict[str, list[int]]]:
    size = _shape(draft, x)[-2:]
    kernel = [int(rng.integers(1, min(5, side) + 2)) for side in size]
    attributes = {
        "stride": [int(i) for i in rng.integers(1, 4, 2)],
        "pad": [int(i) for i in rng.integers(0, 3, 4)] if rng.random() < 0.6 else [0, 0, 0, 0],
        "dilation": [int(i) for i in rng.choice([1, 1, 2, 3], 2)],
    }
    return kernel, attributes


def _conv(draft: Draft, rng: Random) -> None:
    x = _pick_narrow(draft, rng, 3)
    channels = _shape(draft, x)[-3]
    divisors = [group for group in range(1, channels + 1) if channels % group == 0]
    groups = int(rng.choice(divisors))
    out_channels = groups * int(rng.integers(1, 4))
    kernel, attributes = _window(draft, rng, x)
    weight = _weight(draft, rng, (out_channels, channels // groups, *kernel), "i8", "i16")
    bias = _weight(draft, rng, (out_channels,), "i32")
    _add(draft, "conv", [x], weight, bias, groups=groups, **attributes)


def _matmul(draft: Draft, rng: Random) -> None:
    a = _pick_narrow(draft, rng, 2)
    shape = _shape(draft, a)
    partners = [i for i, t in enumerate(draft.tensors) if t["shape"][:-2] == shape[:-2]]
    b = _narrowed(draft, rng, int(rng.choice(partners)))
    transpose_b = int(rng.integers(0, 2))
    wanted = shape[-1]
    if len(_shape(draft, b)) != len(shape) or _shape(draft, b)[-1 if transpose_b else -2] != wanted:
        b, transpose_b = a, 1
    _add(draft, "matmul", [a, b], transpose_b=transpose_b)


def _table(draft: Draft, rng: Random, x: int, low: int, high: int) -> int:
    lo, hi = draft.tensors[x]["lo"], draft.tensors[x]["hi"]
    shift = max(0, (hi - lo).bit_length() - int(rng.integers(8, 14)))
    rounding = int(rng.integers(0, 2))
    half = 1 << (shift - 1) if rounding and shift else 0
    first = ((lo + half) >> shift) - int(rng.integers(0, 3))
    rows = ((hi + half) >> shift) - first + 1 + int(rng.integers(0, 3))
    if shift > 16 or rows > 65536 or rows << shift > FIELD_PRIME:
        raise ProgramError("the range is too wide for a table", None, "size")
    dtype = str(rng.choice(["i16", "i32"]))
    values = np.sort(rng.integers(low, high, rows, endpoint=True))
    if rng.random() < 0.3:
        rng.shuffle(values)
    table = draft.add_const("table", dtype, values)
    return _add(draft, "table", [x], table, shift=shift, first=first, round=rounding)


def _any_table(draft: Draft, rng: Random) -> None:
    bound = 2 ** int(rng.integers(2, 15))
    _table(draft, rng, _pick(draft, rng), low=-bound, high=bound)


def _shift(draft: Draft, rng: Random) -> None:
    _add(draft, "shift", [_pick(draft, rng)], shift=int(rng.integers(1, 17)))


def _clamp(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    lo, hi = draft.tensors[x]["lo"], draft.tensors[x]["hi"]
    reach = max(1, (hi - lo) // 4)
    ends = sorted(
        int(rng.integers(max(lo - reach, -MAX_MAGNITUDE), min(hi + reach, MAX_MAGNITUDE) + 1))
        for _ in range(2)
    )
    _add(draft, "clamp", [x], lo=ends[0], hi=ends[1])


def _sum(draft: Draft, rng: Random) -> None:
    first = _pick(draft, rng)
    operands = [first] + [_partner(draft, rng, first) for _ in range(int(rng.integers(0, 3)))]
    coefficients = [int(c) for c in rng.integers(1, 2 ** int(rng.integers(1, 9)), len(operands))]
    signs = rng.choice([-1, 1], len(operands))
    coeff = [int(c * s) for c, s in zip(coefficients, signs, strict=True)]
    _add(draft, "add", operands, coeff=coeff)


def _partner(draft: Draft, rng: Random, x: int) -> int:
    """Return a tensor that broadcasts with `x`, often another one."""
    shape = _shape(draft, x)
    fitting = [
        i
        for i, t in enumerate(draft.tensors)
        if len(t["shape"]) == len(shape)
        and all(1 in (a, b) or a == b for a, b in zip(t["shape"], shape, strict=True))
    ]
    return int(rng.choice(fitting))


def _affine(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    shapes = [
        tuple(size if rng.random() < 0.5 else 1 for size in _shape(draft, x)) for _ in range(2)
    ]
    if len(shapes[0]) > 6:
        raise ProgramError("a const has rank 6 at most", None, "rank")
    consts = [_weight(draft, rng, shape, "i8", "i16", "i32") for shape in shapes]
    _add(draft, "affine", [x], *consts)


def _mul(draft: Draft, rng: Random) -> None:
    a = _pick_narrow(draft, rng)
    b = a if rng.random() < 0.3 else _partner(draft, rng, a)
    _add(draft, "mul", [a, b])


def _softmax(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    operands = [x]
    if rng.random() < 0.5:
        operands.append(_mask(draft, rng, x))
    distance = draft.tensors[x]["hi"] - draft.tensors[x]["lo"]
    shift = max(0, distance.bit_length() - int(rng.integers(6, 12)))
    rows = (distance >> shift) + 1 + int(rng.integers(0, 3))
    if rows > 65536:
        raise ProgramError("the range is too wide", None, "size")
    values = np.sort(rng.integers(0, 2 ** int(rng.integers(1, 15)), rows))[::-1]
    values = np.maximum(values, np.arange(rows) == 0)
    values[0] = values.max()
    table = draft.add_const("table", str(rng.choice(["i16", "i32"])), values)
    _add(draft, "softmax_numerator", operands, table, shift=shift)


def _mask(draft: Draft, rng: Random, x: int) -> int:
    shape = _shape(draft, x)
    fitting = [
        i
        for i, t in enumerate(draft.tensors)
        if len(t["shape"]) == len(shape)
        and t["lo"] >= 0
        and t["hi"] <= 1
        and t["shape"][-1] == shape[-1]
        and all(a in (1, b) for a, b in zip(t["shape"], shape, strict=True))
    ]
    if fitting:
        return int(rng.choice(fitting))
    return _table(draft, rng, x, low=0, high=1)


def _layernorm(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    lo, hi = draft.tensors[x]["lo"], draft.tensors[x]["hi"]
    shift = max(0, max(-lo, hi).bit_length() - int(rng.integers(12, 20)))
    u = int(rng.integers(4, 24))
    _add(
        draft,
        "layernorm",
        [x],
        shift=shift,
        u=u,
        fx=max(0, u - int(rng.integers(1, 17))),
        epsilon=int(2 ** rng.integers(0, 21)),
        centered=int(rng.integers(0, 2)),
    )


def _weighted_mean(draft: Draft, rng: Random) -> None:
    e = _pick_weights(draft, rng, 2)
    shape = _shape(draft, e)
    fitting = [
        i
        for i, t in enumerate(draft.tensors)
        if len(t["shape"]) == len(shape)
        and t["shape"][:-2] == shape[:-2]
        and t["shape"][-2] == shape[-1]
    ]
    if not fitting:
        order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        fitting = [_add(draft, "transpose", [e], perm=order)]
    _add(draft, "weighted_mean", [e, _narrowed(draft, rng, int(rng.choice(fitting)))])


def _normalize(draft: Draft, rng: Random) -> None:
    digits = [int(rng.integers(1, 16)), int(rng.choice([0, 0, 3, 8]))]
    _add(draft, "normalize", [_pick_weights(draft, rng)], digits=digits)


def _pool(op: str) -> Callable[[Draft, Random], None]:
    def propose(draft: Draft, rng: Random) -> None:
        x = _pick(draft, rng, 3)
        kernel, attributes = _window(draft, rng, x)
        _add(draft, op, [x], kernel=kernel, **attributes)

    return propose


def _reduce(op: str) -> Callable[[Draft, Random], None]:
    def propose(draft: Draft, rng: Random) -> None:
        x = _pick(draft, rng)
        rank = len(_shape(draft, x))
        count = int(rng.integers(1, rank + 1))
        axes = sorted(int(i) for i in rng.choice(rank, count, replace=False))
        _add(draft, op, [x], axes=axes)

    return propose


def _argmax(draft: Draft, rng: Random) -> None:
    _add(draft, "argmax", [_pick(draft, rng)])


def _topk(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    count = int(rng.integers(1, _shape(draft, x)[-1] + 1))
    _add(draft, "topk", [x], k=count, values=int(rng.integers(0, 2)))


def _gather(draft: Draft, rng: Random) -> None:
    ids = _pick(draft, rng)
    tensor = draft.tensors[ids]
    if tensor["lo"] < 0 or tensor["hi"] > 5000:
        ids = _table(draft, rng, ids, low=0, high=int(rng.integers(1, 40)))
    rows = draft.tensors[ids]["hi"] + 1 + int(rng.integers(0, 3))
    rest = tuple(int(i) for i in rng.integers(1, 6, int(rng.integers(0, 3))))
    _add(draft, "gather", [ids], _weight(draft, rng, (rows, *rest), "i8", "i16", "i32"))


def _reshape(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    shape = _shape(draft, x)
    if rng.random() < 0.5:  # keep the rows
        target = [int(np.prod(shape[:-1])), shape[-1]]
    else:
        target = []
        rest = int(np.prod(shape))
        for _ in range(int(rng.integers(0, 4))):
            divisors = [i for i in range(1, rest + 1) if rest % i == 0]
            target.append(int(rng.choice(divisors)))
            rest //= target[-1]
        target.append(rest)
    _add(draft, "reshape", [x], shape=target)


def _transpose(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng, 2)
    _add(draft, "transpose", [x], perm=[int(i) for i in rng.permutation(len(_shape(draft, x)))])


def _expand(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    shape = [int(rng.integers(1, 5)) if size == 1 else size for size in _shape(draft, x)]
    _add(draft, "expand", [x], shape=shape)


def _concat(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    shape = _shape(draft, x)
    axis = int(rng.integers(0, len(shape)))
    rest = shape[:axis] + shape[axis + 1 :]
    fitting = [
        i
        for i, t in enumerate(draft.tensors)
        if len(t["shape"]) == len(shape) and t["shape"][:axis] + t["shape"][axis + 1 :] == rest
    ]
    parts = [int(i) for i in rng.choice(fitting, int(rng.integers(1, 4)))]
    _add(draft, "concat", parts, axis=axis)


def _slice(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    shape = _shape(draft, x)
    axis = int(rng.integers(0, len(shape)))
    start = int(rng.integers(0, shape[axis]))
    stop = int(rng.integers(start + 1, shape[axis] + 1))
    _add(draft, "slice", [x], axis=axis, start=start, stop=stop, step=int(rng.integers(1, 4)))


def _pad(draft: Draft, rng: Random) -> None:
    x = _pick(draft, rng)
    before, after = (
        [int(i) for i in rng.choice([0, 0, 1, 2], len(_shape(draft, x)))] for _ in range(2)
    )
    lo, hi = draft.tensors[x]["lo"], draft.tensors[x]["hi"]
    value = int(rng.integers(lo, hi, endpoint=True)) if rng.random() < 0.7 else 0
    _add(draft, "pad", [x], before=before, after=after, value=value)


PROPOSALS: dict[str, Callable[[Draft, Random], None]] = {
    "linear": _linear,
    "conv": _conv,
    "matmul": _matmul,
    "table": _any_table,
    "shift": _shift,
    "clamp": _clamp,
    "add": _sum,
    "affine": _affine,
    "mul": _mul,
    "softmax_numerator": _softmax,
    "layernorm": _layernorm,
    "weighted_mean": _weighted_mean,
    "normalize": _normalize,
    "max_pool": _pool("max_pool"),
    "sum_pool": _pool("sum_pool"),
    "reduce_sum": _reduce("reduce_sum"),
    "reduce_max": _reduce("reduce_max"),
    "argmax": _argmax,
    "topk": _topk,
    "gather": _gather,
    "reshape": _reshape,
    "transpose": _transpose,
    "expand": _expand,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
}

assert set(PROPOSALS) == set(OPS)
