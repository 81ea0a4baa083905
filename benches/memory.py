"""Peak memory of loading a model and answering once, in a process of its own.

Run: python -m benches.memory {numpy,veridical,onnxruntime} MODEL SAMPLE.npz

`numpy` loads nothing but the sample: what the other two need at least.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

Kind = Literal["numpy", "veridical", "onnxruntime"]


def peak_bytes(kind: Kind, model: Path, sample: Path) -> int:
    """Start a process, let it answer one input, and return its peak resident memory."""
    command = [sys.executable, "-m", "benches.memory", kind, str(model), str(sample)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def _answer(kind: str, model: Path, sample: Path) -> None:
    import numpy as np

    with np.load(sample) as archive:
        feed = dict(archive)
    if kind == "veridical":
        from veridical.program import Program

        Program.load(model).executor(threads=1).infer(feed)
    elif kind == "onnxruntime":
        import onnxruntime as ort

        ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)


def high_water_bytes() -> int:
    """Read VmHWM, which unlike `ru_maxrss` does not keep the peak of the starting process."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    _answer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    print(high_water_bytes())
