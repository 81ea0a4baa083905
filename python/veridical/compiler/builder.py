"""Collects the nodes, consts and ranges of an integer program while it is lowered."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import field as modulus
from veridical.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from veridical.compiler.ranges import Range

_MAX_DECODE_SHIFT = 96
_DTYPES = (("i8", np.int8), ("i16", np.int16), ("i32", np.int32))


@dataclass(slots=True)
class Tensor:
    """A tensor of the program: per-item shape, inclusive range, optional row-norm fact."""

    shape: tuple[int, ...]
    range: Range
    row_norm: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether the tensor may be an operand of a multiply-accumulate op."""
        return self.range[0] >= modulus.NARROW_LOW and self.range[1] <= modulus.NARROW_HIGH


@dataclass(slots=True)
class ProgramBuilder:
    """Append-only program; every emit returns the id of the tensor it defines."""

    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    consts: list[NDArray[Any]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """Float tensor that each program tensor carries, for the report."""
    const_info: list[dict[str, Any]] = field(default_factory=list)
    _const_index: dict[bytes, int] = field(default_factory=dict)

    def add_input(
        self, name: str, shape: tuple[int, ...], bounds: Range, encode: dict[str, Any]
    ) -> int:
        """Declare an input; inputs come before every node."""
        if self.nodes:
            msg = f"input {name!r} declared after the first node"
            raise CompileError(msg)
        self.inputs.append({"encode": encode, "name": name})
        self.tensors.append(Tensor(shape, bounds))
        self.sources.append(name)
        return len(self.tensors) - 1

    def add_const(self, values: NDArray[np.int64], kind: str, *, dtype: str | None = None) -> int:
        """Store a const once; equal consts share an id.

        `dtype` forces a width; otherwise the least of i8, i16, i32 that fits.
        """
        low, high = int(values.min()), int(values.max())
        for name, numpy_type in _DTYPES:
            info = np.iinfo(numpy_type)
            if (dtype is None or dtype == name) and info.min <= low and high <= info.max:
                break
        else:
            msg = f"const of range [{low}, {high}] does not fit dtype {dtype or 'i32'}"
            raise CompileError(msg)
        array = np.ascontiguousarray(values, dtype=numpy_type)
        head = f"{kind} {name} {array.shape} ".encode()
        key = hashlib.sha256(head + array.tobytes()).digest()
        if key not in self._const_index:
            self._const_index[key] = len(self.consts)
            self.consts.append(array)
            self.const_info.append({"dtype": name, "kind": kind, "shape": list(array.shape)})
        return self._const_index[key]

    def emit(
        self,
        op: str,
        operands: Sequence[int],
        shape: tuple[int, ...],
        bounds: Range,
        /,
        *,
        consts: Sequence[int] = (),
        row_norm: int | None = None,
        source: str = "",
        **attributes: Any,  # noqa: ANN401  (integers or lists of integers)
    ) -> int:
        """Append a node and return the tensor it defines."""
        low, high = bounds
        if low < -modulus.M or high > modulus.M:
            msg = f"{source or op}: range [{low}, {high}] of op {op} breaks the no-wrap rule"
            raise CompileError(msg)
        self.nodes.append({"c": list(consts), "in": list(operands), "op": op, **attributes})
        self.tensors.append(Tensor(tuple(shape), (low, high), row_norm))
        self.sources.append(source)
        return len(self.tensors) - 1

    def add_output(self, name: str, tensor: int, *, mul: int, shift: int) -> None:
        """Publish a tensor under `name` with its decoding."""
        if abs(shift) > _MAX_DECODE_SHIFT:
            raise CompileError(
                f"output {name!r} has steps of {mul} / 2^{shift}, which no decoding can name",
                where=name,
                check="decode",
                advice="Scale the output in the model: its values are extremely large or small.",
            )
        decode = {"mul": mul, "shift": shift}
        self.outputs.append({"decode": decode, "name": name, "tensor": tensor})

    def pruned(self) -> tuple[ProgramBuilder, dict[int, int]]:
        """Return the program without dead nodes and consts, and old to new tensor ids."""
        num_inputs = len(self.inputs)
        live = {output["tensor"] for output in self.outputs}
        for index in range(len(self.nodes) - 1, -1, -1):
            if num_inputs + index in live:
                live.update(self.nodes[index]["in"])
        result = ProgramBuilder(inputs=self.inputs)
        ids = {index: index for index in range(num_inputs)}
        result.tensors = self.tensors[:num_inputs]
        result.sources = self.sources[:num_inputs]
        consts: dict[int, int] = {}
        for index, node in enumerate(self.nodes):
            old = num_inputs + index
            if old not in live:
                continue
            ids[old] = len(result.tensors)
            used = [consts.setdefault(const, len(consts)) for const in node["c"]]
            result.nodes.append({**node, "in": [ids[tensor] for tensor in node["in"]], "c": used})
            result.tensors.append(self.tensors[old])
            result.sources.append(self.sources[old])
        for const in consts:
            result.consts.append(self.consts[const])
            result.const_info.append(self.const_info[const])
        result.outputs = [{**o, "tensor": ids[o["tensor"]]} for o in self.outputs]
        return result, ids

    def graph_json(self, *, salted: bool = False) -> bytes:
        """Return the canonical graph bytes (spec/v1/program.md, section 3)."""
        tensors = [
            {"hi": t.range[1], "lo": t.range[0], "shape": list(t.shape)} for t in self.tensors
        ]
        graph = {
            "consts": self.const_info,
            "format": 1,
            "inputs": self.inputs,
            "nodes": self.nodes,
            "outputs": self.outputs,
            "salted": int(salted),
            "tensors": tensors,
        }
        return json.dumps(graph, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
