"""The graph of a program as data, and the schema that its canonical JSON must follow.

Spec: spec/v1/program.md, section 3. What is checked here needs no op semantics; shapes, ranges and
conditions of the nodes are in `veridical.reference.conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from veridical.errors import ProgramError
from veridical.reference import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.reference.canonical import Json

FIELD_PRIME = 2**31 - 2**24 + 1
MAX_MAGNITUDE = (FIELD_PRIME - 1) // 2

NARROW_MIN, NARROW_MAX = -(2**15), 2**15 - 1

MAX_NODES = MAX_CONSTS = 65536
MAX_CONST_USES = 64
FREE_CONST_USES = 2**24
MAX_OPERANDS = 64
MAX_INPUTS = MAX_OUTPUTS = 256
MAX_NAME_LENGTH = 128
MAX_TENSOR_RANK, MAX_CONST_RANK = 8, 6
MAX_DIMENSION = 2**24
MAX_ELEMENTS = 2**28
MAX_TABLE_ROWS = 65536
MAX_BOUNDARY_SHIFT = 96

INTEGER, INTEGERS = "integer", "integers"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSchema:
    """What the node of an op must have: operands, const kinds and attributes."""

    min_operands: int
    max_operands: int
    const_kinds: tuple[str, ...]
    attributes: Mapping[str, str]


def _schema(operands: tuple[int, int], kinds: tuple[str, ...] = (), **attributes: str) -> OpSchema:
    return OpSchema(
        min_operands=operands[0],
        max_operands=operands[1],
        const_kinds=kinds,
        attributes=attributes,
    )


_POOL = _schema((1, 1), dilation=INTEGERS, kernel=INTEGERS, pad=INTEGERS, stride=INTEGERS)

OPS: Mapping[str, OpSchema] = {
    "linear": _schema((1, 1), ("weight", "weight")),
    "conv": _schema(
        (1, 1),
        ("weight", "weight"),
        dilation=INTEGERS,
        groups=INTEGER,
        pad=INTEGERS,
        stride=INTEGERS,
    ),
    "matmul": _schema((2, 2), transpose_b=INTEGER),
    "table": _schema((1, 1), ("table",), first=INTEGER, round=INTEGER, shift=INTEGER),
    "shift": _schema((1, 1), shift=INTEGER),
    "clamp": _schema((1, 1), hi=INTEGER, lo=INTEGER),
    "add": _schema((1, MAX_OPERANDS), coeff=INTEGERS),
    "affine": _schema((1, 1), ("weight", "weight")),
    "mul": _schema((2, 2)),
    "softmax_numerator": _schema((1, 2), ("table",), shift=INTEGER),
    "layernorm": _schema(
        (1, 1),
        centered=INTEGER,
        epsilon=INTEGER,
        fx=INTEGER,
        shift=INTEGER,
        u=INTEGER,
    ),
    "weighted_mean": _schema((2, 2)),
    "normalize": _schema((1, 1), digits=INTEGERS),
    "max_pool": _POOL,
    "sum_pool": _POOL,
    "reduce_sum": _schema((1, 1), axes=INTEGERS),
    "reduce_max": _schema((1, 1), axes=INTEGERS),
    "argmax": _schema((1, 1)),
    "topk": _schema((1, 1), k=INTEGER, values=INTEGER),
    "gather": _schema((1, 1), ("weight",)),
    "reshape": _schema((1, 1), shape=INTEGERS),
    "transpose": _schema((1, 1), perm=INTEGERS),
    "expand": _schema((1, 1), shape=INTEGERS),
    "concat": _schema((1, MAX_OPERANDS), axis=INTEGER),
    "slice": _schema((1, 1), axis=INTEGER, start=INTEGER, step=INTEGER, stop=INTEGER),
    "pad": _schema((1, 1), after=INTEGERS, before=INTEGERS, value=INTEGER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Const:
    """A weight or a table, as the graph declares it."""

    dtype: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealScale:
    """A real number is `integer * mul / 2^shift`, or the reverse when it encodes."""

    mul: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input; `encode` is None where integers are passed through."""

    name: str
    encode: RealScale | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output: which tensor, and the scale of its decoding."""

    name: str
    tensor: int
    decode: RealScale


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """Declared inclusive range and shape per item."""

    lo: int
    hi: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One op application."""

    op: str
    operands: tuple[int, ...]
    consts: tuple[int, ...]
    integers: Mapping[str, int]
    lists: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A graph that follows the schema; conditions are not checked yet."""

    salted: bool
    consts: tuple[Const, ...]
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    tensors: tuple[Tensor, ...]


def parse(untrusted: bytes) -> Graph:
    """Read a graph from its canonical bytes.

    Raises:
        ProgramError: not canonical, a key too many or too few, or a value out of bounds.
    """
    keys = ("consts", "format", "inputs", "nodes", "outputs", "salted", "tensors")
    root = _fields(canonical.parse(untrusted, where="graph"), "graph", *keys)
    _integer(root["format"], "format", 1, 1)
    salted = _integer(root["salted"], "salted", 0, 1) == 1
    consts = tuple(
        _const(item, f"const {index}")
        for index, item in enumerate(_list(root["consts"], "consts", MAX_CONSTS))
    )
    inputs = tuple(
        _input(item, f"input {index}")
        for index, item in enumerate(_list(root["inputs"], "inputs", MAX_INPUTS))
    )
    nodes = tuple(
        _node(item, f"node {index}", len(inputs) + index, len(consts))
        for index, item in enumerate(_list(root["nodes"], "nodes", MAX_NODES))
    )
    num_tensors = len(inputs) + len(nodes)
    outputs = tuple(
        _output(item, f"output {index}", num_tensors)
        for index, item in enumerate(_list(root["outputs"], "outputs", MAX_OUTPUTS))
    )
    tensors = tuple(
        _tensor(item, f"tensor {index}")
        for index, item in enumerate(_list(root["tensors"], "tensors", MAX_INPUTS + MAX_NODES))
    )
    _require(len(tensors) == num_tensors, f"{len(tensors)} tensors for {num_tensors}", "tensors")
    _require(bool(outputs), "there is no output", "outputs")
    _require_unique([item.name for item in inputs], "inputs")
    _require_unique([item.name for item in outputs], "outputs")
    _check_const_use(consts, nodes)
    return Graph(
        salted=salted,
        consts=consts,
        inputs=inputs,
        nodes=nodes,
        outputs=outputs,
        tensors=tensors,
    )


def _check_const_use(consts: tuple[Const, ...], nodes: tuple[Node, ...]) -> None:
    used: set[int] = set()
    for index, node in enumerate(nodes):
        for const, kind in zip(node.consts, OPS[node.op].const_kinds, strict=True):
            actual = consts[const].kind
            message = f"const {const} is a {actual}, expected a {kind}"
            _require(actual == kind, message, f"node {index} ({node.op})")
            used.add(const)
    for index in range(len(consts)):
        _require(index in used, "no node uses it", f"const {index}")
    sizes = [prod(const.shape) for const in consts]
    uses = sum(sizes[index] for node in nodes for index in node.consts)
    limit = MAX_CONST_USES * sum(sizes) + FREE_CONST_USES
    _require(uses <= limit, f"{uses} elements of consts are used, at most {limit} may be", "consts")


def _require(condition: bool, message: str, where: str) -> None:  # noqa: FBT001 - an assertion
    if not condition:
        raise ProgramError(message, where, "schema")


def _require_unique(names: list[str], where: str) -> None:
    _require(len(set(names)) == len(names), "two have the same name", where)


def _fields(value: Json, where: str, *keys: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ProgramError("expected an object", where, "schema")
    _require(set(value) == set(keys), f"keys {sorted(value)}, expected {sorted(keys)}", where)
    return value


def _list(value: Json, where: str, limit: int) -> list[Json]:
    if not isinstance(value, list):
        raise ProgramError("expected a list", where, "schema")
    _require(len(value) <= limit, f"{len(value)} entries, at most {limit} are allowed", where)
    return value


def _integer(value: Json, where: str, low: int, high: int) -> int:
    if not isinstance(value, int):
        raise ProgramError("expected an integer", where, "schema")
    _require(low <= value <= high, f"{value} is outside [{low}, {high}]", where)
    return value


def _integers(value: Json, where: str, low: int, high: int, limit: int) -> tuple[int, ...]:
    return tuple(_integer(item, where, low, high) for item in _list(value, where, limit))


def _choice(value: Json, where: str, *choices: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ProgramError(f"expected one of {', '.join(choices)}", where, "schema")
    return value


def _name(value: Json, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME_LENGTH:
        raise ProgramError(f"expected a name of 1 to {MAX_NAME_LENGTH} characters", where, "schema")
    return value


def _shape(value: Json, where: str, max_rank: int) -> tuple[int, ...]:
    shape = _integers(value, where, 1, MAX_DIMENSION, max_rank)
    _require(bool(shape), "the rank is 0", where)
    elements = 1
    for dimension in shape:
        elements *= dimension
    _require(elements <= MAX_ELEMENTS, f"{elements} elements", where)
    return shape


def _const(value: Json, where: str) -> Const:
    fields = _fields(value, where, "dtype", "kind", "shape")
    dtype = _choice(fields["dtype"], where, "i8", "i16", "i32")
    kind = _choice(fields["kind"], where, "weight", "table")
    shape = _shape(fields["shape"], where, MAX_CONST_RANK)
    if kind == "table":
        _require(dtype != "i8", "a table is i16 or i32", where)
        _require(len(shape) == 1, "a table has rank 1", where)
        _require(shape[0] <= MAX_TABLE_ROWS, f"a table of {shape[0]} rows", where)
    return Const(dtype=dtype, kind=kind, shape=shape)


def _input(value: Json, where: str) -> Input:
    fields = _fields(value, where, "encode", "name")
    name, untrusted = _name(fields["name"], where), fields["encode"]
    if untrusted == {"kind": "integer"}:
        return Input(name=name, encode=None)
    encode = _fields(untrusted, f"{where}.encode", "kind", "mul", "shift")
    _choice(encode["kind"], f"{where}.encode", "real")
    return Input(name=name, encode=_scale(encode, f"{where}.encode", 2**31))


def _output(value: Json, where: str, num_tensors: int) -> Output:
    fields = _fields(value, where, "decode", "name", "tensor")
    decode = _fields(fields["decode"], f"{where}.decode", "mul", "shift")
    return Output(
        name=_name(fields["name"], where),
        tensor=_integer(fields["tensor"], where, 0, num_tensors - 1),
        decode=_scale(decode, f"{where}.decode", 2**22),
    )


def _scale(fields: dict[str, Json], where: str, mul_limit: int) -> RealScale:
    return RealScale(
        mul=_integer(fields["mul"], where, 1, mul_limit - 1),
        shift=_integer(fields["shift"], where, -MAX_BOUNDARY_SHIFT, MAX_BOUNDARY_SHIFT),
    )


def _tensor(value: Json, where: str) -> Tensor:
    fields = _fields(value, where, "hi", "lo", "shape")
    lo = _integer(fields["lo"], where, -MAX_MAGNITUDE, MAX_MAGNITUDE)
    hi = _integer(fields["hi"], where, lo, MAX_MAGNITUDE)
    return Tensor(lo=lo, hi=hi, shape=_shape(fields["shape"], where, MAX_TENSOR_RANK))


def _node(value: Json, where: str, tensor_id: int, num_consts: int) -> Node:
    if not isinstance(value, dict) or not isinstance(op := value.get("op"), str) or op not in OPS:
        raise ProgramError("not an object with a known `op`", where, "op")
    where, schema = f"{where} ({op})", OPS[op]
    fields = _fields(value, where, "c", "in", "op", *schema.attributes)
    operands = _integers(fields["in"], where, 0, tensor_id - 1, MAX_OPERANDS)
    low, high = schema.min_operands, schema.max_operands
    _require(low <= len(operands) <= high, f"{len(operands)} operands", where)
    consts = _integers(fields["c"], where, 0, num_consts - 1, MAX_OPERANDS)
    _require(len(consts) == len(schema.const_kinds), f"{len(consts)} consts", where)
    integers: dict[str, int] = {}
    lists: dict[str, tuple[int, ...]] = {}
    limit = canonical.INTEGER_LIMIT
    for key, kind in schema.attributes.items():
        at = f"{where}.{key}"
        if kind == INTEGER:
            integers[key] = _integer(fields[key], at, -limit, limit)
        else:
            lists[key] = _integers(fields[key], at, -limit, limit, MAX_OPERANDS)
    return Node(op=op, operands=operands, consts=consts, integers=integers, lists=lists)
