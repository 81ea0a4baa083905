"""`veridical demo`: the main job on two real models, nine forgeries, and a proof."""

from __future__ import annotations

import shutil
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from cyclopts import Parameter

from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError
from veridical.verifier.report import error_value

if TYPE_CHECKING:
    from veridical.demo import Scene
    from veridical.demo.proven import Proven

__all__ = ["demo"]

_WIDEST = 100
#: Assumptions that a receipt without a proof does not have.
_OF_PROOFS = ("proof: ", "weights: ")


def demo(
    *,
    keep: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Compile two models, run them, verify the receipts, reject nine forgeries, and prove.

    Parameters
    ----------
    keep
        Write programs and receipts into this folder.
    json
        Print data only.
    """
    from veridical.demo import play

    if keep is not None:
        _make(keep)

    def tell(scene: Scene) -> None:
        figures = next(iter(scene.report.outputs.values()))
        emit(f"\n== {scene.model.title} ==")
        emit(f"compiled  {scene.program.digest_hex}")
        emit(
            f"accuracy  max error {figures.max_error:.2e}, mean {figures.mean_error:.2e} against "
            f"float64 on {scene.report.samples} questions"
        )
        for name, array in scene.answer.items():
            values = np.array2string(array[0], precision=4, separator=", ", max_line_width=10_000)
            _say(f"answer    {name} = {values}", indent=10)
        emit("receipt")
        for line in _summary(scene):
            emit(f"  {line}")
        emit(f"accepted  tier {scene.verified.tier}")
        for name, standing in scene.verified.properties.items():
            emit(f"  {name:<8} {standing.value}")
        for assumption in scene.verified.assumptions:
            _say(f"  assumes  {assumption}", indent=11)
        emit("forgeries")
        for number, rejection in enumerate(scene.rejections, 1):
            _say(f"  {number} {rejection.forgery.name}: {rejection.forgery.story}", indent=4)
            _say(f"    rejected by {rejection.error.check}: {rejection.error}", indent=6)
        _tell_proof(scene)

    scenes = []
    for scene in play(now=int(time.time())):
        if keep is not None:
            scene.program.save(keep / f"{scene.model.name}.vprog")
            scene.program.save(keep / f"{scene.model.name}.vkey", vkey=True)
            scene.receipt.save(keep / f"{scene.model.name}.receipt.json")
            scene.proven.receipt.save(keep / f"{scene.model.name}.proven.receipt.json")
        if not json:
            tell(scene)
        scenes.append(scene)
    if json:
        emit_json(
            {
                scene.model.name: {
                    "forgeries": [
                        {"forgery": r.forgery.name, **error_value(r.error)}
                        for r in scene.rejections
                    ],
                    "model": scene.program.digest_hex,
                    "proof": _proof_value(scene.proven),
                    "verified": scene.verified.to_value(),
                }
                for scene in scenes
            }
        )
    else:
        rejected = sum(len(scene.rejections) for scene in scenes)
        emit(
            f"\n{len(scenes)} receipts verified; on each, "
            f"{rejected // len(scenes)} forgeries rejected by name,"
            " and one more against a succinct proof"
        )
    return ExitCode.ACCEPTED


def _tell_proof(scene: Scene) -> None:
    proven = scene.proven
    emit("proof")
    emit(
        f"  made in    {proven.prove_ms:.1f} ms; committing to the weights, once for the model, "
        f"took {proven.commit_ms:.1f} ms"
    )
    emit(f"  size       {proven.proof_bytes} bytes")
    emit(
        f"  accepted   in {proven.verify_ms:.1f} ms, tier {proven.verified.tier}, with the "
        f"verification key ({proven.key_bytes} bytes): no weights, nothing run"
    )
    for name, standing in proven.verified.properties.items():
        emit(f"    {name:<8} {standing.value}")
    for assumption in proven.verified.assumptions:
        if assumption.startswith(_OF_PROOFS):
            _say(f"    assumes  {assumption}", indent=13)
    _say(f"  forged     {proven.story}", indent=13)
    _say(f"    rejected by {proven.rejection.check}: {proven.rejection}", indent=6)


def _proof_value(proven: Proven) -> dict[str, object]:
    return {
        "bytes": proven.proof_bytes,
        "commit_ms": proven.commit_ms,
        "forgery": {"story": proven.story, **error_value(proven.rejection)},
        "key_bytes": proven.key_bytes,
        "prove_ms": proven.prove_ms,
        "verified": proven.verified.to_value(),
        "verify_ms": proven.verify_ms,
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", str(folder)) from error


def _say(line: str, *, indent: int) -> None:
    """Write a line, broken between words where the terminal ends; digests stay whole."""
    width = max(60, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
    lead = line[: len(line) - len(line.lstrip())]
    for part in textwrap.wrap(
        line.lstrip(), width, initial_indent=lead, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    ):  # fmt: skip
        emit(part)


def _summary(scene: Scene) -> list[str]:
    statement = scene.receipt.statement
    envelope = scene.verified
    return [
        f"id         {scene.receipt.receipt_id}",
        f"model      {statement.model.digest}",
        f"input      {statement.input.received.digest.hex()}",
        f"output     {statement.output.integers.digest.hex()}",
        f"saturated  {statement.input.saturated}",
        f"request    {statement.request_id}",
        f"signer     {envelope.signer.key_id if envelope.signer else 'nobody'}",
        f"size       {len(scene.receipt.to_bytes())} bytes",
    ]
