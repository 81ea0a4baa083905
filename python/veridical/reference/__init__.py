"""The second implementation of the integer program: plain NumPy, independent of the Rust crates.

Spec: spec/v1/program.md. It is the oracle of the differential tests and a second engine for
watchers: it parses, digests, checks and runs a program with nothing but this folder, NumPy and
``hashlib``. Everything malformed is a `ProgramError`, every bad input an `InputError`.

=============  ======================================================
module         purpose
=============  ======================================================
`canonical`    canonical JSON
`container`    the safetensors file
`graph`        the graph as data, and its schema
`conditions`   shape, range and conditions of every op, exact
`ops`          the integers of every op
`digest`       Merkle trees and the model digest
`boundary`     real values to integers and back, on the bits
`trace`        Merkle root of a run
`executor`     runs the nodes in order
`program`      `load`, `ReferenceProgram`, `ReferenceRun`
=============  ======================================================
"""

from __future__ import annotations

from veridical.reference.program import (
    EncodedInputs,
    ReferenceKey,
    ReferenceProgram,
    ReferenceRun,
    load,
    load_key,
)

__all__ = [
    "EncodedInputs",
    "ReferenceKey",
    "ReferenceProgram",
    "ReferenceRun",
    "load",
    "load_key",
]
