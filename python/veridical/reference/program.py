"""A loaded program: its digest, its runs, and its real-valued boundary.

Spec: spec/v1/program.md, sections 2, 5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from veridical.errors import InputError, ProgramError
from veridical.reference import boundary, conditions, container, digest, executor, graph, trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.reference.container import Container
    from veridical.reference.graph import Const, Graph

Int32: TypeAlias = NDArray[np.int32]

_DTYPES: Mapping[str, str] = {"i8": "<i1", "i16": "<i2", "i32": "<i4"}
_SALT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedInputs:
    """Integer inputs, and how many elements of all of them were clamped."""

    values: Mapping[str, Int32]
    saturation_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRun:
    """The integers of one run; `tensors` holds all of them, or the outputs only."""

    outputs: Mapping[str, Int32]
    tensors: Mapping[int, Int32]
    num_tensors: int

    def trace_root(self) -> bytes:
        """Return the root of the trace.

        Raises:
            InputError: the run kept no trace.
        """
        if len(self.tensors) != self.num_tensors:
            raise InputError("this run kept no trace; run with keep_trace=True", check="trace")
        return trace.trace_root([self.tensors[tensor] for tensor in range(self.num_tensors)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceKey:
    """A checked key file: the graph and the tables of a program, without its weights."""

    graph: Graph
    digest: str
    weight_root: bytes
    aliases: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceProgram:
    """A checked program."""

    graph: Graph
    consts: Mapping[int, NDArray[np.signedinteger]]
    digest: str
    weight_root: bytes
    aliases: Mapping[str, str]

    def encode(self, inputs: Mapping[str, NDArray[np.generic]]) -> EncodedInputs:
        """Turn real or integer inputs into the integers of the program.

        Raises:
            InputError: a name, shape, dtype or value is not accepted.
        """
        self._check_inputs(inputs)
        values: dict[str, Int32] = {}
        saturated = 0
        for index, item in enumerate(self.graph.inputs):
            tensor, where = self.graph.tensors[index], f"input {item.name!r}"
            bounds, given = (tensor.lo, tensor.hi), np.asarray(inputs[item.name])
            if item.encode is None:
                values[item.name] = boundary.encode_integer(given, bounds, where)
            else:
                encoded, count = boundary.encode_real(given, item.encode, bounds, where)
                values[item.name] = encoded
                saturated += count
        return EncodedInputs(values=values, saturation_count=saturated)

    def run(
        self, inputs: Mapping[str, NDArray[np.generic]], *, keep_trace: bool = True
    ) -> ReferenceRun:
        """Run the program on integers, each inside the declared range of its input.

        Raises:
            InputError: a name, shape, dtype or value is not accepted, or a row is empty.
        """
        self._check_inputs(inputs)
        integers = [
            boundary.encode_integer(
                np.asarray(inputs[item.name]),
                (self.graph.tensors[index].lo, self.graph.tensors[index].hi),
                f"input {item.name!r}",
            )
            for index, item in enumerate(self.graph.inputs)
        ]
        tensors = executor.execute(self.graph, self.consts, integers, keep_trace=keep_trace)
        return ReferenceRun(
            outputs={output.name: tensors[output.tensor] for output in self.graph.outputs},
            tensors=tensors,
            num_tensors=len(self.graph.tensors),
        )

    def decode(self, outputs: Mapping[str, Int32]) -> dict[str, NDArray[np.float64]]:
        """Turn the integers of outputs into the reals that they stand for, exactly.

        Raises:
            InputError: a name is missing or too many, or an array does not hold integers.
        """
        _check_names_of(outputs, [output.name for output in self.graph.outputs], "outputs")
        for name, values in outputs.items():
            if np.asarray(values).dtype.kind not in "iu":
                raise InputError("not integers", f"output {name!r}", "output_dtype")
        return {
            output.name: boundary.decode(outputs[output.name], output.decode)
            for output in self.graph.outputs
        }

    def _check_inputs(self, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        _check_names_of(inputs, [item.name for item in self.graph.inputs], "inputs")
        batches: set[int] = set()
        for index, item in enumerate(self.graph.inputs):
            expected, shape = self.graph.tensors[index].shape, _shape_of(inputs[item.name])
            if len(shape) != len(expected) + 1 or shape[1:] != expected or shape[0] < 1:
                message = f"shape {list(shape)}, expected [batch, {str(list(expected))[1:]}"
                raise InputError(message, f"input {item.name!r}", "input_shape")
            batches.add(shape[0])
        if len(batches) > 1:
            raise InputError(f"batch sizes {sorted(batches)} differ", check="input_batch")


def _shape_of(values: object) -> tuple[int, ...]:
    """Return the shape; nested lists of unequal length have none that could fit."""
    try:
        return np.shape(np.asarray(values))
    except ValueError:
        return ()


def _check_names_of(given: Mapping[str, object], expected: list[str], what: str) -> None:
    if set(given) != set(expected):
        message = f"{what} {sorted(map(str, given))}, expected {sorted(expected)}"
        raise InputError(message, check=f"{what[:-1]}_names")


def load(untrusted: bytes) -> ReferenceProgram:
    """Read and check a program file (`M.vprog`).

    Raises:
        ProgramError: the bytes, the schema or a condition fail; `check` and `where` say which.
    """
    parts = container.unpack(untrusted, expected_format=container.PROGRAM_FORMAT)
    parsed = graph.parse(parts.graph_bytes)
    _check_names(parts, parsed, with_weights=True)
    values = {index: _values(parts, parsed, index) for index in range(len(parsed.consts))}
    conditions.check(parsed, values)
    salt = bytes(parts.tensors["salt"].content) if parsed.salted else None
    root = digest.weight_root(parsed.consts, values, salt)
    return ReferenceProgram(
        graph=parsed,
        consts=values,
        digest=digest.model_digest(parsed, parts.graph_bytes, root, values),
        weight_root=root,
        aliases=parts.aliases,
    )


def load_key(untrusted: bytes) -> ReferenceKey:
    """Read a key file (`M.vkey`) and check everything that does not depend on weights.

    The ranges of `linear`, `conv`, `affine` and `gather` are taken as declared.

    Raises:
        ProgramError: the bytes, the schema or a condition fail; `check` and `where` say which.
    """
    parts = container.unpack(untrusted, expected_format=container.KEY_FORMAT)
    parsed = graph.parse(parts.graph_bytes)
    _check_names(parts, parsed, with_weights=False)
    tables = {
        index: _values(parts, parsed, index)
        for index, const in enumerate(parsed.consts)
        if const.kind == "table"
    }
    conditions.check(parsed, tables)
    if parts.weight_root is None:
        raise ProgramError("the key file has no weight root", "__metadata__", "container")
    has_weights = any(const.kind == "weight" for const in parsed.consts)
    if not has_weights and parts.weight_root != digest.tree([]):
        message = "there is no weight, and the weight root is not that of the empty tree"
        raise ProgramError(message, "__metadata__", "container")
    return ReferenceKey(
        graph=parsed,
        digest=digest.model_digest(parsed, parts.graph_bytes, parts.weight_root, tables),
        weight_root=parts.weight_root,
        aliases=parts.aliases,
    )


def _check_names(parts: Container, parsed: Graph, *, with_weights: bool) -> None:
    """Check that the file holds exactly the tensors that the graph declares."""
    expected = {
        f"c{index}"
        for index, const in enumerate(parsed.consts)
        if with_weights or const.kind == "table"
    }
    if with_weights and parsed.salted:
        expected.add("salt")
        salt = parts.tensors.get("salt")
        if salt is not None and (salt.dtype, salt.shape) != ("U8", (_SALT_BYTES,)):
            raise ProgramError("the salt is not 32 elements of U8", "tensor salt", "container")
    if set(parts.tensors) != expected:
        difference = sorted(set(parts.tensors) ^ expected)
        message = f"missing or not declared: {', '.join(difference[:8])}"
        raise ProgramError(message, "container", "container")


def _values(parts: Container, parsed: Graph, index: int) -> NDArray[np.signedinteger]:
    const: Const = parsed.consts[index]
    stored = parts.tensors[f"c{index}"]
    if stored.dtype != const.dtype.upper() or stored.shape != const.shape:
        message = (
            f"{stored.dtype} {list(stored.shape)} is stored, "
            f"{const.dtype} {list(const.shape)} is declared"
        )
        raise ProgramError(message, f"const {index}", "container")
    flat = np.frombuffer(stored.content, dtype=_DTYPES[const.dtype])
    return flat.reshape(const.shape)
