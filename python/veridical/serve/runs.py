"""Runs of several questions at once: the program is executed once for all of them.

An item's answer does not depend on the items beside it (spec/v1/program.md), so each question gets
the run that it would have had alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from veridical.errors import InputError
from veridical.program import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from veridical.program import Encoded, Program

__all__ = ["run_together"]

Inputs: TypeAlias = "Mapping[str, NDArray[Any]]"


def run_together(
    program: Program, questions: Sequence[Inputs], *, threads: int = 0
) -> list[Run | InputError]:
    """Run a program on questions whose names and shapes fit it; one that it refuses has an error.

    The arrays become read-only: receipts speak of them.
    """
    outcomes: list[Run | InputError] = []
    encoded: list[tuple[int, Inputs, Encoded]] = []
    for place, inputs in enumerate(questions):
        for array in inputs.values():
            array.flags.writeable = False
        try:
            encoded.append((place, inputs, program.encode(inputs)))
            outcomes.append(InputError("not run"))
        except InputError as error:
            outcomes.append(error)
    if not encoded:
        return outcomes
    try:
        runs = _execute(program, [(inputs, one) for _, inputs, one in encoded], threads)
        for (place, _, _), run in zip(encoded, runs, strict=True):
            outcomes[place] = run
    except InputError as error:  # of one of them: an empty row, for example
        for place, inputs, one in encoded:
            if len(encoded) == 1:
                outcomes[place] = error
                break
            try:
                outcomes[place] = _execute(program, [(inputs, one)], threads)[0]
            except InputError as mine:
                outcomes[place] = mine
    return outcomes


def _execute(
    program: Program, encoded: Sequence[tuple[Inputs, Encoded]], threads: int
) -> list[Run]:
    sizes = [len(next(iter(one.tensors.values()))) for _, one in encoded]
    if len(encoded) == 1:
        together = encoded[0][1].tensors
    else:
        together = {
            name: np.concatenate([one.tensors[name] for _, one in encoded])
            for name in encoded[0][1].tensors
        }
    integers = program.executor(threads=threads).run(together)
    outputs = program.decode(integers)
    runs, end = [], 0
    for (inputs, one), size in zip(encoded, sizes, strict=True):
        start, end = end, end + size
        runs.append(
            Run(
                program=program,
                inputs=inputs,
                encoded=one,
                integer_outputs=_rows(integers, start, end),
                outputs=_rows(outputs, start, end),
                threads=threads,
            )
        )
    return runs


def _rows(tensors: Mapping[str, Any], start: int, end: int) -> dict[str, Any]:
    """Return rows of each tensor; contiguous, as the first axis is that of items."""
    return {name: array[start:end] for name, array in tensors.items()}
