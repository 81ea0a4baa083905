"""Drive our own prover, in the project's environment, through the functions of `adapter`.

Verifying is all of it: a receipt against a policy. The verifier's process has the verification key,
which holds no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import veridical
from benches.zk import adapter
from benches.zk.stages import Job, Recorder, drive
from veridical import keys
from veridical.program import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compile_model(job: Job, recorder: Recorder) -> None:
    """Compile at the default precision, as the command line does."""
    from veridical.compiler import compile as compile_program

    calibration, dims = _load(job.at("calibration.npz")), job.options["dims"]
    program = recorder.time(
        "compile",
        lambda: compile_program(job.model, calibration=calibration, dims=dims, progress=False),
    )
    program.save(job.at("model.vprog"))
    program.save(job.at("model.vkey"), vkey=True)
    recorder.fact(program_bytes=Path(job.at("model.vprog")).stat().st_size)


def commit(job: Job, recorder: Recorder) -> None:
    """Commit to the weights."""
    program = Program.load(job.at("model.vprog"))
    recorder.time("setup", lambda: adapter.commit(program, job.threads))


def prove(job: Job, recorder: Recorder) -> None:
    """Answer, then prove; all inputs in one proof."""
    program = Program.load(job.at("model.vprog"))
    commitment = adapter.commit(program, job.threads)
    signer = keys.generate()
    rows = _load(job.at("test.npz"))
    feed = {name: value[: job.inputs] for name, value in rows.items()}
    made: dict[str, Any] = {}

    def answer() -> None:
        made["run"] = veridical.run(program, feed, threads=job.threads)

    def state() -> None:
        made["statement"] = adapter.state(made["run"], signer)

    def make_proof() -> None:
        made["proof"] = adapter.prove(made["run"], made["statement"], commitment, job.threads)

    recorder.repeat(job, {"witness": answer, "statement": state, "prove": make_proof})
    receipt = adapter.issue(made["run"], made["proof"], signer)
    Path(job.at("receipt.json")).write_bytes(receipt)
    Path(job.at("signer.pub")).write_bytes(signer.public_key.to_pem())
    np.savez(job.at("inputs.npz"), allow_pickle=False, **feed)
    np.savez(job.at("outputs.npz"), allow_pickle=False, **made["run"].outputs)
    judged = {name: value[: job.options["judged"]] for name, value in rows.items()}
    answers = next(iter(veridical.run(program, judged).outputs.values()))
    recorder.fact(
        **adapter.describe(made["proof"]),
        receipt_bytes=len(receipt),
        outputs=answers.reshape(len(answers), -1).tolist(),
    )


def verify(job: Job, recorder: Recorder) -> None:
    """Verify the receipt; a rejection is an exception."""
    check = adapter.verifier(
        Path(job.at("receipt.json")).read_bytes(),
        Program.load(job.at("model.vkey")),
        keys.PublicKey.from_pem(Path(job.at("signer.pub")).read_bytes()),
        _load(job.at("inputs.npz")),
        _load(job.at("outputs.npz")),
    )
    recorder.repeat(job, {"verify": check})


def _load(path: str) -> dict[str, NDArray[Any]]:
    with np.load(path) as archive:
        return dict(archive)


if __name__ == "__main__":
    drive({"compile": compile_model, "setup": commit, "prove": prove, "verify": verify})
