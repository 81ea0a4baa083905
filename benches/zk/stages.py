"""What every driver shares: read the job, time its stages, record memory.

A driver is a script that runs in the environment of what it measures, so this module imports the
standard library only. Each phase (compile, setup, prove, verify) is a process of its own: its peak
memory is then that of the phase, and a verifier has seen nothing of the prover but its files.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from benches.memory import high_water_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Phase = Literal["compile", "setup", "prove", "verify"]
PHASES: tuple[Phase, ...] = get_args(Phase)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one driver has to do: one model, one setting."""

    case: str
    model: str
    folder: str
    """Files that go from one phase to the next."""
    srs_folder: str
    calibration: list[list[float]]
    judged: list[list[float]]
    """Inputs that closeness to float is judged on; the first is the one that is proved."""
    threads: int
    cpus: list[int]
    inputs: int
    repeats: int
    slow_seconds: float
    """A call that takes longer is not repeated."""
    options: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Job:
        """Read a job as `save` wrote it."""
        return cls(**json.loads(path.read_text("utf-8")))

    def save(self, path: Path) -> None:
        """Write the job for a driver."""
        path.write_text(json.dumps(asdict(self)), "utf-8")

    def at(self, name: str) -> str:
        """Return the path of a file of this job."""
        return str(Path(self.folder, name))


class Recorder:
    """Seconds, facts and peak memory of a phase, written after every stage.

    What was measured before a limit ended the process is thus not lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, list[float]] = {}
        self._facts: dict[str, Any] = {}
        self._write(done=False)

    def time(self, stage: str, call: Callable[[], T]) -> T:
        """Time one call of a stage and return its value."""
        began = time.perf_counter()
        value = call()
        self._seconds.setdefault(stage, []).append(time.perf_counter() - began)
        self._write(done=False)
        return value

    def repeat(self, job: Job, calls: Mapping[str, Callable[[], object]]) -> None:
        """Time the calls one after another, in rounds; a slow first round is the only one."""
        for i_round in range(job.repeats):
            began = time.perf_counter()
            for stage, call in calls.items():
                self.time(stage, call)
            if i_round == 0 and time.perf_counter() - began > job.slow_seconds:
                return

    def fact(self, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Note something beside the seconds."""
        self._facts |= facts
        self._write(done=False)

    def finish(self) -> None:
        """Say that the phase reached its end."""
        self._write(done=True)

    def _write(self, *, done: bool) -> None:
        document = {
            "done": done,
            "seconds": self._seconds,
            "facts": self._facts,
            "peak_bytes": high_water_bytes(),
        }
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(document), "utf-8")
        temporary.replace(self._path)


def drive(phases: Mapping[Phase, Callable[[Job, Recorder], None]]) -> None:
    """Carry out the phase that the command line names: `PHASE JOB.json`."""
    name, path = sys.argv[1], Path(sys.argv[2])
    job = Job.load(path)
    os.sched_setaffinity(0, job.cpus)  # before any library counts processors
    for phase, work in phases.items():
        if phase == name:
            recorder = Recorder(Path(job.folder, f"{phase}.json"))
            work(job, recorder)
            recorder.finish()
            return
    raise SystemExit(f"no phase {name!r}; there are {', '.join(phases)}")
