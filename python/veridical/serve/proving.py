"""What a worker proves, wherever it runs: questions and statements go in, one proof comes out.

Spec: spec/v1/serve.md, section 6. A task holds everything but the program, which is named by its
digest; it holds no salt, no envelope and nothing of the database.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import veridical.program
from veridical import zk
from veridical.commitment import tensors_from_bytes
from veridical.errors import InputError
from veridical.receipt import Statement, canonical
from veridical.zk.evidence import MAX_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veridical.program import Program

__all__ = ["LocalProver", "Member", "Proven", "Prover", "Task", "most_items", "prove"]

#: Cells that are committed to in one proof at most: more is slower for everybody who waits behind
#: it, and no cheaper for each run, as what runs share is small by then.
MAX_CELLS: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One run that is proven: the tensors that were received, and the statement about them."""

    question: bytes = field(repr=False)
    statement: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Runs of one program that are proven together."""

    model: str
    digest: str
    profile: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A proof as it stands in receipts, and the processor time that it took.

    What a proof costs its caller does not depend on who else uses the machine.
    """

    evidence: bytes = field(repr=False)
    microseconds: int


class Prover(Protocol):
    """Makes proofs: in this process, or in one far away."""

    def prove(self, task: Task, *, progress: Callable[[str], None]) -> Proven:
        """Prove a task; `progress` hears of each stage, and what it raises ends the work."""


def prove(program: Program, task: Task, *, threads: int, progress: Callable[[str], None]) -> Proven:
    """Run the questions of a task again, and prove the runs together.

    The commitment to the weights is made once for each model, and is not part of the time.

    Raises:
        InputError: the program is another one; see also `zk.prove`.
    """
    if program.digest_hex != task.digest:
        raise InputError("the model was replaced since", where=task.model)
    progress(zk.STAGES[0])
    commitment = zk.commit(program, profile=task.profile, threads=threads)
    start = time.process_time()
    runs = []
    for member in task.members:
        question = tensors_from_bytes(member.question)
        value = canonical.decode(
            member.statement, max_bytes=len(member.statement), where="statement"
        )
        runs.append(
            (
                veridical.program.run(program, question, threads=threads),
                Statement.from_value(value),
            )
        )
    proof = zk.prove(runs, commitment=commitment, threads=threads, progress=progress)
    content = proof.to_bytes()
    return Proven(evidence=content, microseconds=int((time.process_time() - start) * 1e6) + 1)


def most_items(program: Program, *, profile: str, memory: int) -> int:
    """Return how many items one proof takes: by memory, by cells, and by the format."""

    def fits(items: int) -> bool:
        try:
            costs = zk.costs(program, batch=items, profile=profile)
        except InputError:  # more than the format takes
            return False
        # What is committed to without any item is there in every proof.
        cells = costs.witness_cells + costs.lookup_slots
        return cells <= MAX_CELLS and costs.memory <= memory

    low, high = 1, MAX_MEMBERS + 1  # one item is tried whatever it takes: the prover may refuse
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def half_of_memory(workers: int) -> int:
    """Return the bytes that each of so many provers may plan with on this machine."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total // (2 * max(workers, 1))


class LocalProver:
    """Proves in this process, with programs from files."""

    def __init__(self, models: Mapping[str, str], *, threads: int = 0) -> None:
        self._paths = models
        self._threads = threads
        self._programs: dict[str, Program] = {}

    def prove(self, task: Task, *, progress: Callable[[str], None]) -> Proven:
        """Prove a task; see `Prover`."""
        return prove(self.program(task.model), task, threads=self._threads, progress=progress)

    def program(self, model: str) -> Program:
        """Return the program of a model, read once."""
        if model not in self._programs:
            self._programs[model] = veridical.program.load(self._paths[model])
        return self._programs[model]
