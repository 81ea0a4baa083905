"""A driver that proves nothing, and does what its options say: for tests of what drives it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benches.zk.stages import Job, Recorder, drive


def compile_model(job: Job, recorder: Recorder) -> None:
    recorder.time("compile", lambda: _note(job, "compile"))


def prove(job: Job, recorder: Recorder) -> None:
    recorder.repeat(job, {"witness": lambda: None, "prove": lambda: _note(job, "prove")})
    if job.options.get("fails"):
        raise SystemExit("the fake prover fails")
    recorder.fact(outputs=job.options["outputs"], cpus=len(os.sched_getaffinity(0)))


def verify(job: Job, recorder: Recorder) -> None:
    recorder.repeat(job, {"verify": lambda: _note(job, "verify")})


def _note(job: Job, stage: str) -> None:
    with Path(job.options["calls"]).open("a", encoding="utf-8") as file:
        file.write(f"{stage} {job.threads}\n")
    time.sleep(job.options.get("seconds", 0.0))


if __name__ == "__main__":
    drive({"compile": compile_model, "prove": prove, "verify": verify})
