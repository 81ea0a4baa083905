"""Drive DSperse, in its own virtual environment: slices of a model, each with an Expander proof.

What its interface does not say is counted here: which slices have a circuit, since the others are
run but not proved, and whether every slice of the run was verified, since there is no verdict.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.zk.stages import Job, Recorder, drive

if TYPE_CHECKING:
    # Not installed where types are checked.
    dsperse: Any
    msgpack: Any
else:
    import dsperse
    import msgpack

SYSTEM = "expander"


def compile_slices(job: Job, recorder: Recorder) -> None:
    """Cut the model into slices and make a circuit of each."""
    Path(job.at("input.msgpack")).write_bytes(msgpack.packb({"input_data": job.judged[0]}))
    failures: list[str] = []

    def make() -> None:
        dsperse.slice_model(job.model, output_dir=job.at("slices"), proof_system=SYSTEM)
        try:
            dsperse.compile_slices(
                job.at("slices"),
                parallel=job.threads,
                proof_system=SYSTEM,
                proof_config=job.options["config"],
            )
        except RuntimeError as error:  # slices without a circuit are run, but not proved
            if "partial compile failures" not in str(error):
                raise
            failures.append(str(error))

    recorder.time("compile", make)
    recorder.fact(
        compile_failures=failures, circuit_bytes=_size(job.at("slices"), "*/jstprove/**/*")
    )


def prove(job: Job, recorder: Recorder) -> None:
    """Run with witnesses, then prove every slice that has a circuit."""
    documents: dict[str, Any] = {}

    def run() -> None:
        files = job.at("slices"), job.at("input.msgpack"), job.at("run")
        documents["run"] = json.loads(dsperse.run_inference(*files, parallel=job.threads))

    def make_proofs() -> None:
        documents["proofs"] = json.loads(
            dsperse.prove_run(job.at("run"), job.at("slices"), parallel=job.threads)
        )

    recorder.repeat(job, {"witness": run, "prove": make_proofs})
    slices = sorted(documents["run"]["slices"])
    recorder.fact(
        slices=len(slices),
        slices_proved=len(_successes(documents["proofs"], "proof_execution")),
        proof_bytes=_size(job.at("run"), "**/proof.bin"),
        # The verifier reads these as well: they hold the public values, and the weights.
        witness_bytes=_size(job.at("run"), "**/witness.bin"),
    )


def verify(job: Job, recorder: Recorder) -> None:
    """Verify the proofs of all slices that have one."""
    proved = json.loads(Path(job.at("prove.json")).read_text("utf-8"))["facts"]["slices_proved"]

    def check() -> None:
        found = json.loads(
            dsperse.verify_run(job.at("run"), job.at("slices"), parallel=job.threads)
        )
        verified = _successes(found, "verification_execution")
        if len(verified) != proved:
            raise SystemExit(f"DSperse accepts {len(verified)} of its {proved} proofs")

    recorder.repeat(job, {"verify": check})


def _successes(document: dict[str, Any], kind: str) -> set[str]:
    results = document["execution_chain"]["execution_results"]
    return {row["slice_id"] for row in results if row.get(kind, {}).get("success")}


def _size(folder: str, pattern: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).glob(pattern) if path.is_file())


if __name__ == "__main__":
    drive({"compile": compile_slices, "prove": prove, "verify": verify})
