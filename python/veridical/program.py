"""Programs and runs: load, encode, execute, decode, trace.

Spec: spec/v1/program.md. The work is done by the Rust extension; this module gives it names, types
and files. `veridical.reference` is the second implementation of the same rules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from veridical import _core
from veridical.files import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from veridical.zk.cache import RootCache
    from veridical.zk.registration import RegistrationProof
    from veridical.zk.weights import WeightCommitment

__all__ = ["Encoded", "InputSpec", "OutputSpec", "Program", "Run", "load", "run"]

Executor = _core.Executor
Trace = _core.Trace
Integers: TypeAlias = NDArray[np.int32]
Isa: TypeAlias = Literal["auto", "portable", "avx2", "avx512"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What an input takes. The shape is that of one item, without the batch axis."""

    name: str
    shape: tuple[int, ...]
    kind: Literal["real", "integer"]
    lo: int
    hi: int
    mul: int = 1
    shift: int = 0

    @property
    def real_range(self) -> tuple[float, float]:
        """Least and greatest real value that is not clamped, rounded to float64."""
        scale = 2.0**self.shift / self.mul
        return self.lo * scale, self.hi * scale


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """What an output gives: an integer `q` reads as `q * mul / 2**shift`."""

    name: str
    shape: tuple[int, ...]
    tensor: int
    lo: int
    hi: int
    mul: int
    shift: int


class Encoded(NamedTuple):
    """The integers of an input, and how many of its elements the range clamped."""

    tensors: dict[str, Integers]
    saturated: int


class Program:
    """A checked program, or a verification key, which has an identity but cannot be run.

    Every condition of the specification held when this object was made.
    """

    def __init__(self, core: _core.Program) -> None:
        """Wrap a program of the extension; use `load`, `from_bytes` or `build`."""
        self._core = core
        self._executors: dict[tuple[int, str], Executor] = {}
        self._weight_commitments: dict[str, WeightCommitment] = {}
        #: Checked registration proofs of the weights, by profile; see `RegistrationProof.attach`.
        self.registrations: dict[str, RegistrationProof] = {}
        #: Where roots of weight commitments are kept between processes; None keeps nothing.
        self.weight_cache: RootCache | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Program:
        """Read and check a file; its size is looked at before it is read.

        Raises:
            InputError: the file cannot be read.
            ProgramError: it is too large, malformed, or breaks a condition, which is named.
        """
        return cls(_core.Program.from_file(path))

    @classmethod
    def from_bytes(cls, untrusted_file: bytes) -> Program:
        """Read and check the bytes of a file.

        Raises:
            ProgramError: the bytes are malformed or break a condition, which is named.
        """
        return cls(_core.Program.from_bytes(untrusted_file))

    @classmethod
    def build(
        cls,
        graph_json: bytes,
        consts: Sequence[NDArray[Any]],
        *,
        salt: bytes | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> Program:
        """Make a program of a graph in canonical JSON and its constants; everything is checked.

        Raises:
            ProgramError: the graph is not canonical or breaks a condition, which is named.
        """
        names = None if aliases is None else dict(aliases)
        return cls(_core.Program.build(graph_json, list(consts), salt=salt, aliases=names))

    def to_bytes(self, *, vkey: bool = False) -> bytes:
        """Return the file; with `vkey`, the verification key, which holds no weights."""
        return self._core.to_bytes(vkey=vkey)

    def save(self, path: str | os.PathLike[str], *, vkey: bool = False) -> None:
        """Write the file, or the verification key, in one step: never half of it.

        Raises:
            InputError: the file cannot be written.
        """
        write_whole(path, self.to_bytes(vkey=vkey), what="the file")

    @property
    def digest(self) -> bytes:
        """The 32-byte model digest, the identity of the model in every tier."""
        return self._core.digest

    @property
    def digest_hex(self) -> str:
        """The same as text: `sha256:` and 64 lower-case hex digits."""
        return "sha256:" + self.digest.hex()

    @property
    def weight_root(self) -> bytes:
        """The 32-byte Merkle root of the weights."""
        return self._core.weight_root

    @property
    def graph(self) -> bytes:
        """The graph in canonical JSON, as the digest covers it."""
        return self._core.graph

    @property
    def is_vkey(self) -> bool:
        """Whether this is a verification key, which cannot be run."""
        return self._core.is_vkey

    @property
    def aliases(self) -> Mapping[str, str]:
        """Digests of the source model by other names; outside the model digest."""
        return MappingProxyType(self._core.aliases)

    @cached_property
    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.graph)
        return document

    @cached_property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each input takes, in the order of the program."""
        tensors = self._document["tensors"]
        return tuple(
            InputSpec(name=entry["name"], **_described(tensor), **entry["encode"])
            for entry, tensor in zip(self._document["inputs"], tensors, strict=False)
        )

    @cached_property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """What each output gives, in the order of the program."""
        tensors = self._document["tensors"]
        return tuple(
            OutputSpec(
                name=entry["name"],
                tensor=entry["tensor"],
                **_described(tensors[entry["tensor"]]),
                **entry["decode"],
            )
            for entry in self._document["outputs"]
        )

    @property
    def core(self) -> _core.Program:
        """The object of the extension, for other parts of this package."""
        return self._core

    @property
    def weight_commitments(self) -> dict[str, WeightCommitment]:
        """Commitments to the weights that were made of this object, by profile."""
        return self._weight_commitments

    def const(self, index: int) -> NDArray[Any]:
        """Return a copy of a constant.

        Raises:
            InputError: there is none, or this verification key does not hold it.
        """
        return self._core.const(index)

    def encode(self, inputs: Mapping[str, NDArray[Any]]) -> Encoded:
        """Turn received numbers into the integers of the program, exactly.

        Shape: every array is `[batch, *shape]`, with one batch size for all.

        Raises:
            InputError: a name, shape, dtype or value is not accepted; NaN and infinities are not.
        """
        return Encoded(*self._core.encode(dict(inputs)))

    def decode(self, integer_outputs: Mapping[str, Integers]) -> dict[str, NDArray[np.float64]]:
        """Return the real values of integer outputs, without rounding.

        Raises:
            InputError: a name, shape or dtype is not that of the program.
        """
        return self._core.decode(dict(integer_outputs))

    def executor(self, *, threads: int = 0, isa: Isa = "auto") -> Executor:
        """Return the program planned for this machine; 0 threads stands for all processors.

        Raises:
            ProgramMissingError: this is a verification key.
            InputError: this machine lacks the instruction set.
        """
        key = (threads, isa)
        if key not in self._executors:
            self._executors[key] = Executor(self._core, threads=threads, isa=isa)
        return self._executors[key]

    def execute(self, tensors: Mapping[str, Integers]) -> dict[str, Integers]:
        """Run on encoded integers and return the integer outputs.

        Raises:
            ProgramMissingError: this is a verification key.
            InputError: an input does not fit, or a row is empty.
        """
        return self.executor().run(dict(tensors))

    def trace(self, tensors: Mapping[str, Integers]) -> Trace:
        """Run on encoded integers and keep every integer.

        Raises:
            ProgramMissingError: this is a verification key.
            InputError: an input does not fit, or a row is empty.
        """
        return self.executor().trace(dict(tensors))

    def __eq__(self, other: object) -> bool:
        """Compare identities: programs with one digest give the same answers."""
        return isinstance(other, Program) and self.digest == other.digest

    def __hash__(self) -> int:
        """Hash the identity."""
        return hash(self.digest)

    def __repr__(self) -> str:
        """Name the kind and the digest."""
        kind = "verification key" if self.is_vkey else "program"
        return f"<{kind} {self.digest_hex}>"


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One finished run, as the issuer of a receipt holds it."""

    program: Program
    inputs: Mapping[str, NDArray[Any]]
    encoded: Encoded
    integer_outputs: Mapping[str, Integers]
    outputs: Mapping[str, NDArray[np.float64]]
    threads: int = field(default=0, repr=False)

    @property
    def saturated(self) -> int:
        """How many input elements the declared range clamped."""
        return self.encoded.saturated

    @cached_property
    def trace(self) -> Trace:
        """Every integer of the run; the program runs again when this is first asked for."""
        return self.program.executor(threads=self.threads).trace(self.encoded.tensors)


def load(path: str | os.PathLike[str]) -> Program:
    """Read and check a program or a verification key; see `Program.load`."""
    return Program.load(path)


def run(program: Program, inputs: Mapping[str, NDArray[Any]], *, threads: int = 0) -> Run:
    """Run a program on received numbers; 0 threads stands for all processors.

    Shape: every array is `[batch, *shape]`, with one batch size for all.

    Raises:
        InputError: a name, shape, dtype or value is not accepted, or a row is empty.
        ProgramMissingError: the program is a verification key.
    """
    # A receipt speaks of what was received: later changes by the caller must not reach it.
    received = {name: np.array(array, copy=True, order="C") for name, array in inputs.items()}
    for array in received.values():
        array.flags.writeable = False
    encoded = program.encode(received)
    integer_outputs = program.executor(threads=threads).run(encoded.tensors)
    return Run(
        program=program,
        inputs=received,
        encoded=encoded,
        integer_outputs=integer_outputs,
        outputs=program.decode(integer_outputs),
        threads=threads,
    )


def _described(tensor: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": tuple(tensor["shape"]), "lo": tensor["lo"], "hi": tensor["hi"]}
