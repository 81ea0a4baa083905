"""The models that a gateway serves."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import veridical.program
from veridical.errors import InputError
from veridical.inference_protocol import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from veridical.inference_protocol import InferRequest
    from veridical.program import InputSpec, Program

__all__ = ["VERSION", "Model", "load_models"]

#: A model has one version, which its digest identifies.
VERSION: Final = "1"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MEASURED_RUNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A program under the name that callers use."""

    name: str
    path: Path
    program: Program
    #: Seconds that one item takes, measured when the model was loaded.
    seconds_per_item: float

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the protocol; -1 is the axis of items."""
        return {
            "name": self.name,
            "versions": [VERSION],
            "platform": "veridical_integer_program",
            "inputs": [
                {"name": one.name, "datatype": _datatype(one), "shape": [-1, *one.shape]}
                for one in self.program.inputs
            ],
            "outputs": [
                {"name": one.name, "datatype": "FP64", "shape": [-1, *one.shape]}
                for one in self.program.outputs
            ],
            "parameters": {"digest": self.program.digest_hex},
        }

    def require_fits(self, request: InferRequest) -> int:
        """Compare a request with the program, and return its number of items.

        Raises:
            ProtocolError: names or shapes differ; values are looked at when it runs.
        """
        expected = {one.name: one.shape for one in self.program.inputs}
        if set(request.inputs) != set(expected):
            raise ProtocolError(
                400,
                "bad_inputs",
                f"inputs {sorted(request.inputs)}; model {self.name!r} takes {sorted(expected)}",
            )
        for name, array in request.inputs.items():
            if array.shape[1:] != expected[name]:
                raise ProtocolError(
                    400,
                    "bad_shape",
                    f"input {name!r} has shape {list(array.shape)}; "
                    f"expected {[-1, *expected[name]]}",
                )
        sizes = {array.shape[0] for array in request.inputs.values()}
        if len(sizes) != 1:
            raise ProtocolError(400, "bad_shape", f"inputs of {sorted(sizes)} items")
        unknown = set(request.outputs) - {one.name for one in self.program.outputs}
        if unknown:
            raise ProtocolError(
                400, "bad_outputs", f"model {self.name!r} has no output {min(unknown)[:80]!r}"
            )
        return int(sizes.pop())


def load_models(paths: Sequence[Path], names: Mapping[Path, str] | None = None) -> dict[str, Model]:
    """Load programs; each is served under its file's name, or the one that is given.

    Raises:
        InputError: a file is no program, or two have one name.
    """
    models: dict[str, Model] = {}
    for path in paths:
        name = (names or {}).get(path, path.name.removesuffix(".vprog"))
        if _NAME.fullmatch(name) is None:
            raise InputError(f"{name!r} is no name of a model", where=str(path))
        if name in models:
            raise InputError(f"two models are named {name!r}", where=str(path))
        program = veridical.program.load(path)
        if program.is_vkey:
            raise InputError("a verification key cannot be served", where=str(path))
        models[name] = Model(
            name=name, path=path, program=program, seconds_per_item=_measure(program)
        )
    if not models:
        raise InputError("no model to serve")
    return models


def _datatype(entry: InputSpec) -> str:
    return "FP32" if entry.kind == "real" else "INT32"


def _measure(program: Program) -> float:
    """Return the least time of a run of one item; the first run plans the program."""
    zeros = {
        one.name: np.zeros((1, *one.shape), np.float32 if one.kind == "real" else np.int32)
        for one in program.inputs
    }
    times = []
    for _ in range(_MEASURED_RUNS):
        start = time.perf_counter()
        try:
            veridical.program.run(program, zeros)
        except InputError:  # zeros need not be a question that the program takes
            return 0.0
        times.append(time.perf_counter() - start)
    return min(times)
