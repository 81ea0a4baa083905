"""Prove and verify any program on integers, without receipts: what the tests of the tier share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical import _core, zk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical import Program

STATEMENT = bytes(range(32))


@dataclass(frozen=True)
class Proven:
    """A proof of one run with everything that it is about."""

    program: Program
    inputs: dict[str, NDArray[np.int32]]
    outputs: dict[str, NDArray[np.int32]]
    weight_root: bytes
    proof: bytes

    def verify(self, **changed: Any) -> int:
        """Check the proof, with other public values where they are given; bits of soundness."""
        program = changed.get("program", self.program)
        return _core.verify_proof(
            program.core,
            changed.get("profile", "standard"),
            changed.get("weight_root", self.weight_root),
            [changed.get("statement", STATEMENT)],
            [changed.get("inputs", self.inputs)],
            [changed.get("outputs", self.outputs)],
            changed.get("proof", self.proof),
        )


def prove(program: Program, inputs: Mapping[str, NDArray[Any]], *, threads: int = 0) -> Proven:
    """Run a program on integers and prove what the executor gave.

    Raises:
        InputError: the run ends in an error, or the program cannot be proven.
    """
    integers = {name: np.ascontiguousarray(array, dtype=np.int32) for name, array in inputs.items()}
    executor = program.executor(threads=threads)
    outputs = executor.run(integers)
    weights = zk.commit(program, threads=threads)
    proof = _core.prove(executor, weights.core, [integers], [STATEMENT])
    return Proven(program, integers, outputs, weights.root, proof)
