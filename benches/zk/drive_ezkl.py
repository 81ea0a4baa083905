"""Drive EZKL, in its own virtual environment: Halo2 with KZG, weights fixed in the circuit.

Input and output are public, as they are in ours. The structured reference string is made on this
machine: it is fit for measuring only, since whoever makes it could forge.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.zk.stages import Job, Recorder, drive

if TYPE_CHECKING:
    from collections.abc import Callable

    # Not installed where types are checked.
    ezkl: Any
else:
    # It would keep keys and parameters in the home folder.
    os.environ.setdefault("EZKL_REPO_PATH", str(Path.cwd() / ".cache" / "bench-zk" / "ezkl"))
    import ezkl


def settle(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - bool, dict or a future of either
    """Call and wait: some functions return a future, and want a running loop to make it."""

    async def wait() -> Any:  # noqa: ANN401 - as above
        value = call()
        return await value if inspect.isawaitable(value) else value

    return asyncio.run(wait())


def compile_circuit(job: Job, recorder: Recorder) -> None:
    """Choose scales and the circuit's size from calibration data, then lay the circuit out."""
    _write_input(job.at("input.json"), job.judged[0])
    _write_input(job.at("calibration.json"), [v for row in job.calibration for v in row])
    settings = job.at("settings.json")
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = "public"
    arguments.output_visibility = "public"
    arguments.param_visibility = "fixed"
    scale: int | None = job.options.get("scale")

    def make() -> None:
        settle(lambda: ezkl.gen_settings(job.model, settings, arguments))
        settle(
            lambda: ezkl.calibrate_settings(
                job.at("calibration.json"),
                job.model,
                settings,
                "resources",
                scales=None if scale is None else [scale],
                max_logrows=job.options["max_logrows"],
            )
        )
        settle(lambda: ezkl.compile_circuit(job.model, job.at("circuit"), settings))

    recorder.time("compile", make)
    chosen = json.loads(Path(settings).read_text("utf-8"))["run_args"]
    recorder.fact(
        logrows=chosen["logrows"],
        input_scale=chosen["input_scale"],
        param_scale=chosen["param_scale"],
    )


def make_keys(job: Job, recorder: Recorder) -> None:
    """Make the reference string if there is none of this size, then the keys."""
    srs = _srs(job)
    if not srs.exists():
        srs.parent.mkdir(parents=True, exist_ok=True)
        whole = srs.with_suffix(".part")
        recorder.time("srs", lambda: settle(lambda: ezkl.gen_srs(str(whole), _logrows(job))))
        whole.rename(srs)
    files = [job.at(name) for name in ("circuit", "vk", "pk")]
    recorder.time("setup", lambda: settle(lambda: ezkl.setup(*files, str(srs))))
    recorder.fact(
        prover_key_bytes=Path(job.at("pk")).stat().st_size,
        verifier_key_bytes=Path(job.at("vk")).stat().st_size,
    )


def prove(job: Job, recorder: Recorder) -> None:
    """Make the witness and the proof of one input; then answer the judged inputs."""
    witness, proof = job.at("witness.json"), job.at("proof.json")
    recorder.repeat(
        job,
        {
            "witness": partial(_answer, job, job.at("input.json"), witness),
            "prove": lambda: settle(
                lambda: ezkl.prove(witness, job.at("circuit"), job.at("pk"), proof, str(_srs(job)))
            ),
        },
    )
    document = json.loads(Path(proof).read_text("utf-8"))
    recorder.fact(
        proof_bytes=len(bytes.fromhex(document["hex_proof"].removeprefix("0x"))),
        proof_file_bytes=Path(proof).stat().st_size,
    )
    outputs = []
    for row in job.judged:
        _write_input(job.at("judged.json"), row)
        _answer(job, job.at("judged.json"), job.at("judged_witness.json"))
        answered = json.loads(Path(job.at("judged_witness.json")).read_text("utf-8"))
        rows = answered["pretty_elements"]["rescaled_outputs"]
        outputs.append([float(value) for values in rows for value in values])
    recorder.fact(outputs=outputs)


def verify(job: Job, recorder: Recorder) -> None:
    """Verify the proof; the call reads the verifier's key and the reference string from files."""
    files = [job.at(name) for name in ("proof.json", "settings.json", "vk")]

    def check() -> None:
        if not settle(lambda: ezkl.verify(*files, str(_srs(job)))):
            raise SystemExit("EZKL does not accept its own proof")

    recorder.repeat(job, {"verify": check})


def _write_input(path: str, values: list[float]) -> None:
    Path(path).write_text(json.dumps({"input_data": [values]}), "utf-8")


def _answer(job: Job, source: str, target: str) -> None:
    settle(lambda: ezkl.gen_witness(source, job.at("circuit"), target))


def _logrows(job: Job) -> int:
    settings = json.loads(Path(job.at("settings.json")).read_text("utf-8"))
    return int(settings["run_args"]["logrows"])


def _srs(job: Job) -> Path:
    return Path(job.srs_folder, f"k{_logrows(job)}.srs")


if __name__ == "__main__":
    drive({"compile": compile_circuit, "setup": make_keys, "prove": prove, "verify": verify})
