"""A program under construction: ranges follow from the conditions of the reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridical.reference import canonical, conditions, container, digest, graph

DTYPES = {"i8": np.int8, "i16": np.int16, "i32": np.int32}


@dataclass
class Draft:
    """Mutable twin of a graph; every list may be edited before `to_bytes` to make it invalid."""

    consts: list[dict[str, Any]] = field(default_factory=list)
    values: list[NDArray[Any]] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    tensors: list[dict[str, Any]] = field(default_factory=list)
    row_norms: dict[int, int] = field(default_factory=dict)
    salt: bytes | None = None
    aliases: dict[str, str] | None = None

    def add_input(
        self,
        shape: tuple[int, ...],
        lo: int,
        hi: int,
        *,
        name: str | None = None,
        encode: dict[str, Any] | None = None,
    ) -> int:
        assert not self.nodes, "inputs come first"
        name = f"in{len(self.inputs)}" if name is None else name
        self.inputs.append({"encode": encode or {"kind": "integer"}, "name": name})
        self.tensors.append({"hi": hi, "lo": lo, "shape": list(shape)})
        return len(self.tensors) - 1

    def add_const(self, kind: str, dtype: str, values: Any) -> int:
        array = np.asarray(values, DTYPES[dtype])
        self.consts.append({"dtype": dtype, "kind": kind, "shape": list(array.shape)})
        self.values.append(array)
        return len(self.consts) - 1

    def derive(
        self, op: str, operands: list[int], consts: list[int], /, **attributes: Any
    ) -> conditions.Derived:
        """Return what follows for a node without appending it; raises ProgramError."""
        node = graph.Node(
            op=op,
            operands=tuple(operands),
            consts=tuple(consts),
            integers={k: v for k, v in attributes.items() if isinstance(v, int)},
            lists={k: tuple(v) for k, v in attributes.items() if not isinstance(v, int)},
        )
        parsed = graph.Graph(
            salted=False,
            consts=tuple(
                graph.Const(dtype=c["dtype"], kind=c["kind"], shape=tuple(c["shape"]))
                for c in self.consts
            ),
            inputs=(),
            nodes=(),
            outputs=(),
            tensors=tuple(
                graph.Tensor(lo=t["lo"], hi=t["hi"], shape=tuple(t["shape"])) for t in self.tensors
            ),
        )
        values = dict(enumerate(self.values))
        return conditions.derive(parsed, node, values, self.row_norms, "draft")

    def add_node(
        self, op: str, operands: list[int], consts: list[int] | None = None, /, **attributes: Any
    ) -> int:
        """Append a node with its derived range and shape; raises ProgramError if a rule fails."""
        consts = consts or []
        derived = self.derive(op, operands, consts, **attributes)
        assert derived.bounds is not None, "a draft knows its weights"
        return self.add_raw_node(
            op, operands, consts, derived.bounds, derived.shape, derived.row_norm, **attributes
        )

    def add_raw_node(
        self,
        op: str,
        operands: list[int],
        consts: list[int],
        bounds: tuple[int, int],
        shape: tuple[int, ...],
        row_norm: int | None = None,
        /,
        **attributes: Any,
    ) -> int:
        """Append a node as told, checked by nobody."""
        listed = {k: v if isinstance(v, int) else list(v) for k, v in attributes.items()}
        self.nodes.append({"c": list(consts), "in": list(operands), "op": op, **listed})
        self.tensors.append({"hi": bounds[1], "lo": bounds[0], "shape": list(shape)})
        if row_norm is not None:
            self.row_norms[len(self.tensors) - 1] = row_norm
        return len(self.tensors) - 1

    def add_output(self, tensor: int, *, mul: int = 1, shift: int = 0) -> None:
        name = f"out{len(self.outputs)}"
        decode = {"mul": mul, "shift": shift}
        self.outputs.append({"decode": decode, "name": name, "tensor": tensor})

    def graph_json(self) -> dict[str, Any]:
        return {
            "consts": self.consts,
            "format": 1,
            "inputs": self.inputs,
            "nodes": self.nodes,
            "outputs": self.outputs,
            "salted": 0 if self.salt is None else 1,
            "tensors": self.tensors,
        }

    def graph_bytes(self) -> bytes:
        return canonical.encode(self.graph_json())

    def stored(self) -> dict[str, container.StoredTensor]:
        tensors = {
            f"c{index}": container.StoredTensor(
                dtype=self.consts[index]["dtype"].upper(),
                shape=values.shape,
                content=memoryview(digest.little_endian(values)),
            )
            for index, values in enumerate(self.values)
        }
        if self.salt is not None:
            tensors["salt"] = container.StoredTensor(
                dtype="U8", shape=(len(self.salt),), content=memoryview(self.salt)
            )
        return tensors

    def to_bytes(self, graph_bytes: bytes | None = None) -> bytes:
        return container.pack(
            format_name=container.PROGRAM_FORMAT,
            graph_bytes=self.graph_bytes() if graph_bytes is None else graph_bytes,
            tensors=self.stored(),
            aliases=self.aliases,
        )

    def to_key_bytes(self, weight_root: bytes) -> bytes:
        tables = {
            name: tensor
            for name, tensor in self.stored().items()
            if name != "salt" and self.consts[int(name[1:])]["kind"] == "table"
        }
        return container.pack(
            format_name=container.KEY_FORMAT,
            graph_bytes=self.graph_bytes(),
            tensors=tables,
            weight_root=weight_root,
            aliases=self.aliases,
        )
