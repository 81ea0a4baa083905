"""Our side of the benchmark: compile, save, load, run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from veridical.compiler import compile as compile_program
from veridical.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from examples.zoo import ModelCase, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A compiled model on disk and how long compiling took."""

    path: Path
    compile_seconds: float

    @classmethod
    def compile(cls, case: ModelCase, folder: Path) -> Subject:
        """Compile at the default precision, as the command line does."""
        began = time.perf_counter()
        program = compile_program(
            case.path(), calibration=case.calibration(), dims=case.dims, progress=False
        )
        seconds = time.perf_counter() - began
        path = folder / f"{case.name}.vprog"
        program.save(path)
        return cls(path=path, compile_seconds=seconds)

    def runner(self, threads: int) -> Callable[[Samples], dict[str, NDArray[Any]]]:
        """Return the executor's `infer`: real values in, real values out."""
        return Program.load(self.path).executor(threads=threads).infer
