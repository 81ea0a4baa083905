"""Peak memory of one proof in a process of its own: `python -m tests.memory PROGRAM INPUTS.npz`.

Prints bytes beyond what the process took with the program loaded, the prediction, and the peak of
the whole process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import veridical
from tests.repository import ROOT
from tests.toy import NOW, SIGNER
from veridical import zk

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Memory:
    """Bytes of one proof, its weight commitment included."""

    predicted: int
    measured: int
    process: int

    @property
    def ratio(self) -> float:
        return self.predicted / self.measured


def status(name: str) -> int:
    """Return a line of the process's status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"the system does not tell {name}")


def prove(program: veridical.Program, samples: dict[str, NDArray[Any]]) -> Memory:
    """Prove once and look at the peak; called in a process that has done nothing else."""
    run = veridical.run(program, samples)
    batch = next(iter(samples.values())).shape[0]
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins again
    expected = zk.require_memory(program, batch=batch)
    veridical.issue(run, signer=SIGNER, evidence=zk.Zk(), nonce="n", issued_at=NOW)
    peak = status("VmHWM")
    return Memory(predicted=expected.memory, measured=peak - before, process=peak)


def measure(program: Path, samples: dict[str, NDArray[Any]], folder: Path) -> Memory:
    """Return what a new process needs for one proof of the samples together."""
    inputs = folder / "memory-inputs.npz"
    np.savez(inputs, **samples)  # type: ignore[arg-type]
    command = [sys.executable, "-m", "tests.memory", str(program), str(inputs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Memory(**json.loads(done.stdout))


def main() -> None:
    """Measure what the command line names."""
    with np.load(sys.argv[2], allow_pickle=False) as archive:
        samples = {name: archive[name] for name in archive.files}
    sys.stdout.write(json.dumps(vars(prove(veridical.load(sys.argv[1]), samples))))


if __name__ == "__main__":
    main()
